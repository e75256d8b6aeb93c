// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Api;
using Nomadstack.Cluster;
using Nomadstack.Products;

namespace Nomadstack.Drills;

/// <summary>One drill with one product: its state goes into throw-away servers, something happens to them, and what is there before and after is compared.</summary>
/// <param name="keepsIndex">Whether a restored state has the indexes that it had. The embedded engine restores with one write, whose index everything then has.</param>
internal sealed class Rehearsal(NodeContext context, DrillServers servers, bool keepsIndex, Action<string> say)
{
    /// <summary>As long as a step may take: an election takes seconds, autopilot looks every 10 s, and a gigabyte of state takes its time on a slow disk.</summary>
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(2), s_restore = TimeSpan.FromMinutes(10), s_poll = TimeSpan.FromMilliseconds(100);

    /// <summary>A server keeps a write waiting for 5 s while there is no leader (both products' RPC hold).</summary>
    private static readonly TimeSpan s_write = TimeSpan.FromSeconds(8);

    /// <summary>Writes that are acknowledged right before the end.</summary>
    private const int LastWrites = 10;

    private readonly List<DrillStep> _steps = [];

    private IReadOnlyList<int> All { get; } = [.. Enumerable.Range(0, servers.Count)];

    /// <summary>All servers lose their power at once, and come back.</summary>
    public async Task<DrilledProduct> PowerCutAsync(string snapshot, CancellationToken cancel)
    {
        var (leader, before) = await FillAsync(snapshot, cancel);
        var acknowledged = await WriteAsync(leader, cancel);
        await StepAsync("kill all of them", () => Task.WhenAll(All.Select(servers.KillAsync)));
        var led = 0;
        var seconds = await StepAsync("start them again and wait for a leader", async () =>
        {
            foreach (var server in All) await servers.StartAsync(server, cancel);
            led = await LeaderAsync(All, "start them again and wait for a leader", cancel);
        });
        return await EndAsync(led, before, acknowledged, seconds, snapshot, cancel);
    }

    /// <summary>All servers but one are gone for good, and the last one goes on alone.</summary>
    public async Task<DrilledProduct> LostQuorumAsync(string snapshot, CancellationToken cancel)
    {
        var (leader, before) = await FillAsync(snapshot, cancel);
        var acknowledged = await WriteAsync(leader, cancel);
        await CaughtUpAsync(acknowledged, cancel);
        // A follower: the harder case.
        var survivor = All.First(s => s != leader);
        await StepAsync("kill all but one", () => Task.WhenAll(All.Where(s => s != survivor).Select(servers.KillAsync)));
        await UntilAsync("see that the last one has no leader", s_limit, async () => await servers.Api(survivor).StandingAsync(cancel) is { HasLeader: false }, cancel);
        var seconds = await StepAsync("make the last one the only voter and wait until it leads", async () =>
        {
            await servers.KillAsync(survivor);
            servers.MakeOnlyVoter(survivor);
            await servers.StartAsync(survivor, cancel);
            await LeaderAsync([survivor], "make the last one the only voter and wait until it leads", cancel);
        });
        return await EndAsync(survivor, before, acknowledged, seconds, snapshot, cancel);
    }

    /// <summary>A blank server gets the state.</summary>
    /// <param name="real">What the cluster had when the snapshot was made.</param>
    public async Task<DrilledProduct> RestoreAsync(string snapshot, StateCounts real, CancellationToken cancel)
    {
        var seconds = 0.0;
        var leader = 0;
        seconds += await StepAsync("start a blank server", async () =>
        {
            await servers.StartAsync(0, cancel);
            leader = await LeaderAsync(All, "start a blank server", cancel);
        });
        seconds += await RestoreIntoAsync(leader, snapshot, cancel);
        var after = await CountAsync(leader, cancel);
        return Report(DrillCounts.Compare(real, after, keepsIndex ? real.Index : null, after.Index), seconds, snapshot);
    }

    /// <summary>A cluster of all servers with the state in each of them.</summary>
    private async Task<(int Leader, StateCounts Counts)> FillAsync(string snapshot, CancellationToken cancel)
    {
        var leader = 0;
        var name = $"start {servers.Count} servers and wait until all of them vote";
        await StepAsync(name, async () =>
        {
            foreach (var server in All) await servers.StartAsync(server, cancel);
            leader = await LeaderAsync(All, name, cancel);
            await WaitAsync(name, s_limit, async () => await servers.Api(leader).ObserveAsync(cancel) is { } view && view.Members.Count(m => m.Voter) == servers.Count, cancel);
        });
        await RestoreIntoAsync(leader, snapshot, cancel);
        await CaughtUpAsync((await servers.Api(leader).StandingAsync(cancel))?.AppliedIndex ?? 0, cancel);
        return (leader, await CountAsync(leader, cancel));
    }

    private Task<double> RestoreIntoAsync(int leader, string snapshot, CancellationToken cancel)
    {
        var name = servers.Count == 1 ? "restore the cluster's state into it" : "restore the cluster's state into them";
        return StepAsync(name, async () =>
        {
            await using (var from = File.OpenRead(snapshot))
            {
                var restored = await servers.Api(leader).RestoreSnapshotAsync(from, s_restore, cancel);
                if (!restored.IsOk) throw new ProblemException(DrillProblems.Refused(servers.Product, name, restored.Complaint));
            }

            await WaitAsync(name, s_limit, async () => (await servers.Api(leader).BarrierAsync(s_write, cancel)).IsOk, cancel);
        });
    }

    /// <returns>The raft index that the leader had applied when the last write was acknowledged.</returns>
    private async Task<long> WriteAsync(int leader, CancellationToken cancel)
    {
        for (var i = 0; i < LastWrites; i++)
        {
            var written = await servers.Api(leader).BarrierAsync(s_write, cancel);
            if (!written.IsOk) throw new ProblemException(DrillProblems.Refused(servers.Product, "write before the end", written.Complaint));
        }

        return (await servers.Api(leader).StandingAsync(cancel))?.AppliedIndex
            ?? throw new ProblemException(DrillProblems.Refused(servers.Product, "write before the end", "The leader does not answer."));
    }

    private Task<double> CaughtUpAsync(long index, CancellationToken cancel) => UntilAsync("wait until each has it", s_limit, async () =>
    {
        foreach (var server in All)
        {
            if (!(await servers.Api(server).StandingAsync(cancel) is { } standing && standing.AppliedIndex >= index)) return false;
        }

        return true;
    }, cancel);

    private async Task<int> LeaderAsync(IReadOnlyList<int> candidates, string step, CancellationToken cancel)
    {
        int? leader = null;
        await WaitAsync(step, s_limit, async () => (leader = await servers.LeaderAsync(candidates, s_write, cancel)) is not null, cancel);
        return leader!.Value;
    }

    private async Task<StateCounts> CountAsync(int leader, CancellationToken cancel)
    {
        var counted = await servers.Api(leader).CountAsync(s_limit, cancel);
        return counted.Try(out var counts) ? counts : throw new ProblemException(DrillProblems.Refused(servers.Product, "count what is there", counted.Complaint));
    }

    /// <param name="acknowledged">The raft index that must be there.</param>
    private async Task<DrilledProduct> EndAsync(int leader, StateCounts before, long acknowledged, double seconds, string snapshot, CancellationToken cancel)
    {
        var after = await CountAsync(leader, cancel);
        var index = (await servers.Api(leader).StandingAsync(cancel))?.AppliedIndex ?? 0;
        return Report(DrillCounts.Compare(before, after, acknowledged, index), seconds, snapshot);
    }

    private DrilledProduct Report(IReadOnlyList<DrillCount> counts, double seconds, string snapshot) =>
        new(servers.Product.Name, servers.Count, new FileInfo(snapshot).Length, Math.Round(seconds, 1), _steps, counts);

    private Task<double> UntilAsync(string step, TimeSpan limit, Func<Task<bool>> condition, CancellationToken cancel) => StepAsync(step, () => WaitAsync(step, limit, condition, cancel));

    private async Task<double> StepAsync(string step, Func<Task> act)
    {
        say($"{servers.Product.Title}: {step}");
        var began = context.Time.GetTimestamp();
        await act();
        var took = context.Time.GetElapsedTime(began).TotalSeconds;
        _steps.Add(new(step, Math.Round(took, 1)));
        return took;
    }

    private async Task WaitAsync(string step, TimeSpan limit, Func<Task<bool>> condition, CancellationToken cancel)
    {
        var began = context.Time.GetTimestamp();
        while (!await condition())
        {
            if (context.Time.GetElapsedTime(began) > limit) throw new ProblemException(DrillProblems.Stuck(servers.Product, step, limit));
            await Task.Delay(s_poll, context.Time, cancel);
        }
    }
}
