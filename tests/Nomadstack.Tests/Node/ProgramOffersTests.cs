// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Processes;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Node;

public sealed class ProgramOffersTests : IDisposable
{
    private readonly ProgramRoom _room = new();

    public void Dispose() => _room.Dispose();

    [Fact]
    public async Task AReplacedProgramIsAnOfferUntilItIsTaken()
    {
        await MemberOfAsync("1.9.2");
        var (offers, programs) = await _room.OffersAsync();
        await offers.LookAsync(default);
        programs.Offers.ShouldBeEmpty("nothing has changed");

        _room.Install("1.10.5");
        await offers.LookAsync(default);
        programs.Offers[Role.Nomad].ShouldBe(new("1.10.5", _room.Installed));

        var (now, before) = await offers.UseAsync(ProgramRoom.Nomad, null, default);
        (before.Version.ToString(), now.Version.ToString()).ShouldBe(("1.9.2", "1.10.5"));
        programs.For(ProgramRoom.Nomad, null).Path.ShouldBe(now.Path);
        ProgramRoom.Says(now.Path).ShouldContain("1.10.5");
        ProgramRoom.Says(before.Path).ShouldContain("1.9.2", customMessage: "what runs still runs from it");
        await offers.LookAsync(default);
        programs.Offers.ShouldBeEmpty();
        (await _room.RunsAsync()).Path.ShouldBe(now.Path, "the next start of the agent");
    }

    [Fact]
    public async Task TheSameContentOnceMoreIsNoOffer()
    {
        await MemberOfAsync("1.9.2");
        var (offers, programs) = await _room.OffersAsync();
        _room.Install("1.9.2");

        await offers.LookAsync(default);

        programs.Offers.ShouldBeEmpty();
    }

    [Fact]
    public async Task AnotherBuildOfTheSameVersionIsAnOffer()
    {
        await MemberOfAsync("1.9.2");
        var (offers, programs) = await _room.OffersAsync();
        await File.AppendAllTextAsync(_room.Installed, "# built elsewhere\n");

        await offers.LookAsync(default);

        programs.Offers[Role.Nomad].Version.ShouldBe("1.9.2");
    }

    [Fact]
    public async Task AnOfferThatGoesAwayIsNoneAnyMore()
    {
        await MemberOfAsync("1.9.2");
        var (offers, programs) = await _room.OffersAsync();
        _room.Install("1.10.5");
        await offers.LookAsync(default);

        File.Delete(_room.Installed);
        await offers.LookAsync(default);

        programs.Offers.ShouldBeEmpty();
    }

    [Fact]
    public async Task AFileThatIsNotTheProductIsNotTaken()
    {
        await MemberOfAsync("1.9.2");
        var (offers, programs) = await _room.OffersAsync();
        var runs = programs.For(ProgramRoom.Nomad, null);

        (await Should.ThrowAsync<ProblemException>(offers.UseAsync(ProgramRoom.Nomad, "/bin/true", default))).Problem.Code.ShouldBe("engine/not-nomad");
        (await Should.ThrowAsync<ProblemException>(offers.UseAsync(ProgramRoom.Nomad, null, default))).Problem.Code.ShouldBe("engine/nothing-offered");
        programs.For(ProgramRoom.Nomad, null).ShouldBe(runs);
    }

    [Fact]
    public async Task ANamedFileIsTakenAndTheOptionThatNamesTheOldOneDoesNotBringThatBack()
    {
        var other = Path.Combine(Path.GetDirectoryName(_room.Installed)!, "nomad-1.10.5");
        _room.Install("1.9.2");
        await _room.RunsAsync(_room.Installed);
        _room.MakeMember();
        var (offers, _) = await _room.OffersAsync(_room.Installed);
        _room.Install("1.10.5", other);

        await offers.UseAsync(ProgramRoom.Nomad, other, default);

        (await _room.RunsAsync(_room.Installed)).Version.ToString().ShouldBe("1.10.5");
    }

    [Fact]
    public async Task AnOldCopyIsRemovedWhenNoStartAndNoProcessUsesIt()
    {
        await MemberOfAsync("1.9.2");
        var (offers, programs) = await _room.OffersAsync();
        var old = programs.For(ProgramRoom.Nomad, null).Path;
        var record = ProcessRecord.At(_room.Paths.Processes, "nomad-client");
        record.Write(new() { Spec = new("nomad-client", old, [], "/dev/null"), Wanted = true, BootId = "b" });
        _room.Install("1.10.5");
        var (now, _) = await offers.UseAsync(ProgramRoom.Nomad, null, default);

        await offers.RemoveUnusedAsync(default);
        File.Exists(old).ShouldBeTrue("a process would start from it");
        record.Write(new() { Spec = new("nomad-client", now.Path, [], "/dev/null"), Wanted = true, BootId = "b" });
        await offers.RemoveUnusedAsync(default);

        File.Exists(old).ShouldBeFalse();
        File.Exists(now.Path).ShouldBeTrue();
    }

    private async Task MemberOfAsync(string version)
    {
        _room.Install(version);
        await _room.RunsAsync();
        _room.MakeMember();
    }
}
