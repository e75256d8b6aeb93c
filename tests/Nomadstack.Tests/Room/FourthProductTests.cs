// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Api;
using Nomadstack.Cluster;
using Nomadstack.Storage;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Room;

/// <summary>A product that no release knows goes through the flows beside the scheduler: nothing but its row and its own code is needed.</summary>
public sealed class FourthProductTests : IDisposable
{
    private static readonly Product s_fourth = new()
    {
        Name = "fourth",
        Title = "Fourth",
        Ports =
        [
            new("fourth", ProductPort.Server, ProductPort.Http, 9101, "Fourth server HTTP"), new("fourth", ProductPort.Server, ProductPort.Rpc, 9102, "Fourth server raft"),
            new("fourth", ProductPort.Bootstrap, ProductPort.Http, 19101, "Fourth bootstrap server HTTP"), new("fourth", ProductPort.Bootstrap, ProductPort.Rpc, 19102, "Fourth bootstrap server raft"),
        ],
    };

    private static readonly ProductTable s_table = new([s_fourth, Role.Row(Role.Nomad)]);

    /// <summary>In memory: what is tried here is not the disk.</summary>
    private readonly string _folder = Directory.CreateDirectory(Path.Combine("/dev/shm", "nomadstack-room-" + Guid.NewGuid().ToString()[..8])).FullName;

    private readonly FakeRoom _room = new();
    private readonly InstantTime _time = new();
    private readonly NodeFile _node = new() { Id = Guid.NewGuid().ToString(), Name = "n1", Address = "127.0.0.1" };
    private readonly CancellationTokenSource _limit = new(TimeSpan.FromSeconds(60));

    public void Dispose()
    {
        Directory.Delete(_folder, recursive: true);
        _limit.Dispose();
    }

    [Fact]
    public async Task ItIsBootstrappedAndPivotsOntoItsJobServer()
    {
        var agent = Agent();

        (await agent.BootstrapAsync(_limit.Token)).Current.State.ShouldBe(Operation.Finished);

        _room.Jobs.ShouldBe(new Dictionary<string, int> { ["fourth-server"] = 1, ["nomad-server"] = 1 }, ignoreOrder: true);
        foreach (var product in s_table.Stack)
            _room.Raft(product.Name).Servers.ShouldHaveSingleItem().Site.Bootstrap.ShouldBeFalse($"{product.Title} runs on its job server alone");
        Directory.GetDirectories(agent.Context.Paths.Retired).Length.ShouldBe(2);
    }

    [Fact]
    public async Task StatusShowsItAsItShowsTheOthers()
    {
        var agent = Agent();
        await agent.BootstrapAsync(_limit.Token);

        var status = await agent.Status.ReadAsync(_limit.Token);

        status.Cluster.InWords().ShouldBe("healthy");
        status.Servers.Select(s => (s.Role, s.ManagedBy, s.Voter, s.Healthy)).ShouldBe([("nomad", "job", true, true), ("fourth", "job", true, true)]);
        status.Engine["fourth"].Version.ShouldBe("1.0.0");
    }

    [Fact]
    public async Task ItReturnsFromAPowerCut()
    {
        await Agent().BootstrapAsync(_limit.Token);
        _room.PowerCut();
        var back = Agent();

        await back.BootAsync(_limit.Token);

        (await back.Status.ReadAsync(_limit.Token)).Cluster.InWords().ShouldBe("healthy");
        _room.Raft("fourth").Servers.ShouldHaveSingleItem().Runs.ShouldBeTrue();
    }

    /// <summary>Every named effect of a bootstrap fails once, before it or after it, with everything a machine can say: the bootstrap ends done, or undone and done at the next attempt.</summary>
    [Theory]
    [InlineData("EIO")]
    [InlineData("ENOSPC")]
    [InlineData("EMFILE")]
    [InlineData("EXDEV")]
    [InlineData("time-out")]
    [InlineData("refusal")]
    public async Task EveryEffectOfABootstrapMayFail(string how)
    {
        List<string> points = [];
        Fault.Plan.Value = point =>
        {
            lock (points) points.Add(point);
            return null;
        };
        await Agent().BootstrapAsync(_limit.Token);
        points.Count.ShouldBeGreaterThan(20);
        foreach (var point in points.Distinct().ToList())
        {
            using var attempt = new FourthProductTests();
            await attempt.FailsOnceAsync(point, how);
        }
    }

    private async Task FailsOnceAsync(string at, string how)
    {
        var left = 1;
        Fault.Plan.Value = point => point == at && Interlocked.Decrement(ref left) == 0 ? Failure(how) : null;
        var first = await Agent().BootstrapAsync(_limit.Token);
        var last = first.Current.State == Operation.Finished ? first : await Agent().BootstrapAsync(_limit.Token);

        last.Current.State.ShouldBe(Operation.Finished, $"{how} at {at}");
        foreach (var product in s_table.Stack) _room.Raft(product.Name).Servers.Count(s => s.Runs).ShouldBe(1, $"{product.Title}, {how} at {at}");
        (await Agent().Status.ReadAsync(_limit.Token)).Servers.Count.ShouldBe(2, $"{how} at {at}");
    }

    private static Exception Failure(string how) => how switch
    {
        "EIO" => new IOException("Input/output error", 5),
        "ENOSPC" => new IOException("No space left on device", 28),
        "EMFILE" => new IOException("Too many open files", 24),
        "EXDEV" => new IOException("Invalid cross-device link", 18),
        "time-out" => new TimeoutException("it took too long"),
        _ => new ProblemException(new("x/refused", "It was refused.", "So says the test.", "Try again.")),
    };

    /// <summary>An agent on the node's folder: the first, or one that comes after another.</summary>
    private RoomAgent Agent() => new(_room, new NodePaths(_folder), _node, s_table, _time);
}
