// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Client;
using Nomadstack.Engine.State;
using Nomadstack.Engine.Tests.Scheduling;
using Shouldly;
using Xunit;

namespace Nomadstack.Engine.Tests.Client;

public sealed class ClientStateTests : IDisposable
{
    private readonly TempFolder _folder = new();

    [Fact]
    public void A_node_stays_the_same_node()
    {
        var first = ClientState.Open(_folder.Path);
        var again = ClientState.Open(_folder.Path);

        again.NodeId.ShouldBe(first.NodeId);
        again.SecretId.ShouldBe(first.SecretId);
        first.SecretId.ShouldNotBe(first.NodeId);
        File.GetUnixFileMode(_folder["secret-id"]).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    [Fact]
    public void An_identity_that_is_none_is_refused_by_name_and_left_alone()
    {
        ClientState.Open(_folder.Path);
        File.WriteAllText(_folder["client-id"], "");

        Should.Throw<ClientStateException>(() => ClientState.Open(_folder.Path)).Message.ShouldContain(_folder["client-id"]);
        File.ReadAllText(_folder["client-id"]).ShouldBeEmpty();
    }

    [Fact]
    public void An_allocation_comes_back_with_its_tasks()
    {
        var state = ClientState.Open(_folder.Path);
        var record = Record();
        state.Save(record);

        var back = ClientState.Open(_folder.Path).Allocations().ShouldHaveSingleItem();

        back.Allocation.ID.ShouldBe("a1");
        back.Allocation.Job.Group("g")!.Task("t")!.Config.ShouldNotBeNull();
        back.Tasks["t"].Handle.ShouldBe("aGFuZGxl");
        back.Tasks["t"].State.State.ShouldBe(TaskState.Running);
        back.DeploymentStatus!.Healthy.ShouldBe(true);
    }

    [Fact]
    public void A_torn_allocation_is_refused_by_name()
    {
        var state = ClientState.Open(_folder.Path);
        state.Save(Record());
        var file = _folder[Path.Combine("allocations", "a1.json")];
        File.WriteAllBytes(file, File.ReadAllBytes(file)[..^20]);

        Should.Throw<ClientStateException>(state.Allocations).Message.ShouldStartWith($"{file} is damaged or was not written by this client");
    }

    [Fact]
    public void A_newer_layout_is_refused_before_it_is_read()
    {
        var state = ClientState.Open(_folder.Path);
        File.WriteAllText(_folder[Path.Combine("allocations", "a1.json")], """{"Version":2,"Allocation":"of another shape"}""");

        Should.Throw<ClientStateException>(state.Allocations).Message.ShouldContain("written by a newer version");
    }

    [Fact]
    public void What_was_deleted_is_gone()
    {
        var state = ClientState.Open(_folder.Path);
        state.Save(Record());
        state.Delete("a1");
        state.Delete("a1");

        state.Allocations().ShouldBeEmpty();
    }

    public void Dispose() => _folder.Dispose();

    private static AllocRecord Record() => new()
    {
        Allocation = new Allocation { ID = "a1", Job = Specimens.Job(), TaskGroup = "g", Name = "web.g[0]" },
        Tasks = new Dictionary<string, TaskRecord> { ["t"] = new(new TaskState { State = TaskState.Running }, "a1/t/12345678", "aGFuZGxl") },
        DeploymentStatus = new AllocDeploymentStatus { Healthy = true },
    };
}
