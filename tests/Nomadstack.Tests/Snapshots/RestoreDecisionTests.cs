// SPDX-License-Identifier: MPL-2.0
using Nomadstack.ColdBoot;
using Nomadstack.Operations;
using Nomadstack.Products;
using Nomadstack.Snapshots;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Snapshots;

public sealed class RestoreDecisionTests
{
    [Fact]
    public void ThePresentIsSavedBeforeAnythingIsRestored()
    {
        Verb(new(false, ["consul", "nomad"], false, null)).ShouldBe(new RestoreStep(RestoreVerb.SavePresent));
        Verb(new(true, ["consul", "nomad"], false, null)).ShouldBe(new RestoreStep(RestoreVerb.Restore, "consul"));
        Verb(new(true, ["nomad"], false, null)).ShouldBe(new RestoreStep(RestoreVerb.Restore, "nomad"));
        Verb(new(true, [], false, null)).ShouldBe(new RestoreStep(RestoreVerb.Mark));
    }

    [Fact]
    public void GhostsAreEndedBeforeItIsDone()
    {
        Verb(new(true, ["consul", "nomad"], true, null)).ShouldBe(new RestoreStep(RestoreVerb.AwaitLeader));
        Verb(new(true, [], true, [Job("web")])).ShouldBe(new RestoreStep(RestoreVerb.EndGhosts));
        RestoreDecision.Next(new(true, ["consul"], true, [])).ShouldBeOfType<Next<RestoreStep>.Done>();
    }

    [Fact]
    public void AJobThatTheSnapshotLacksIsStoppedAndOneThatIsStoppedNowComesBackAsAGhost()
    {
        var (stopped, ghosts) = RestoreDecision.Compare(
            now: [Job("same"), Job("new"), Job("stopped-since", stop: true), Job("same", ns: "other"), Job("started-again")],
            then: [Job("same"), Job("stopped-since"), Job("purged-since"), Job("started-again", stop: true), Job("both-stopped", stop: true)]);

        stopped.Select(j => j.ToString()).ShouldBe(["new", "other/same", "started-again"]);
        ghosts.Select(j => j.ToString()).ShouldBe(["purged-since", "stopped-since"]);
    }

    [Fact]
    public void TheHistoryAfterARestoreIsNoLossForAnyNode()
    {
        var history = History.None;
        for (var i = 0; i < 200; i++)
        {
            var remembered = history;
            history = history.With($"{i:x4}");
            // Another node may have seen marks that the one which restores has not.
            var ahead = history.With("aaaa").With("bbbb");
            var after = History.AfterRestore(history, "cccc");

            History.Compare(remembered, after).ShouldBeOneOf(Past.GoesOn, Past.Unknown);
            History.Compare(history, after).ShouldBe(Past.GoesOn);
            History.Compare(ahead, after).ShouldBe(Past.GoesOn);
            after.IsRestoredSince(history, new History([after.Marks[^1]]).Render()).ShouldBeTrue();
        }
    }

    [Fact]
    public void OnlyARestoreThatTheNodeHasNotSeenExcusesWhatIsMissing()
    {
        var before = History.None.With("aaaa");
        var after = History.AfterRestore(before, "cccc");
        var mark = new History([after.Marks[^1]]).Render();

        after.IsRestoredSince(before, mark).ShouldBeTrue();
        after.IsRestoredSince(after, mark).ShouldBeFalse();
        after.IsRestoredSince(before, null).ShouldBeFalse();
        before.IsRestoredSince(History.None, mark).ShouldBeFalse();
        after.IsRestoredSince(before, "no mark").ShouldBeFalse();
    }

    private static RestoreStep Verb(RestoreFacts facts) => RestoreDecision.Next(facts).ShouldBeOfType<Next<RestoreStep>.Step>().Of;

    private static ListedJob Job(string id, bool stop = false, string ns = "default") => new(ns, id, stop, 0);
}
