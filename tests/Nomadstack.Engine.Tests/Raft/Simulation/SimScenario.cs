// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Raft;

namespace Nomadstack.Engine.Tests.Raft.Simulation;

/// <summary>What a run amounted to, so that a test can tell a quiet one from a good one.</summary>
internal sealed record SimSummary(int Seed, int Elections, long Committed, int Acknowledged, int Asked, long Events);

/// <summary>
/// One run: clients write and read, and everything that can go wrong does, until at last all is well again; then a write must go through and all members
/// must come to the same state, within bounded time. The seed decides sizes, kinds of trouble and how much there is of each.
/// </summary>
internal sealed class SimScenario
{
    /// <summary>How long there is trouble, and how long the cluster may take to recover afterwards, in virtual time.</summary>
    private static readonly TimeSpan s_trouble = TimeSpan.FromSeconds(20), s_recovery = TimeSpan.FromSeconds(20);

    private readonly SimCluster _cluster;
    private readonly Random _random;
    private readonly int _seed;
    private readonly bool _storm, _moving;
    private readonly int _pace;
    private bool _over;

    private SimScenario(int seed, Mutation mutation, bool storm, bool trace)
    {
        (_seed, _random) = (seed, new Random(seed ^ 0x5EED));
        // In a storm leaders fall as soon as they stand, which is when old and new terms meet in the logs.
        _storm = _random.Next(4) == 0 || storm;
        // Members come and go all the time, until there are few.
        _moving = !_storm && _random.Next(3) == 0;
        _pace = _storm || _random.Next(2) == 0 ? 600 : 2500;
        var options = new RaftOptions
        {
            MaxAppendBytes = _random.Next(2) == 0 ? 8 : 256,
            MaxInFlight = _random.Next(1, 8),
            SnapshotChunkBytes = _random.Next(64, 1024),
            SnapshotLogEntries = _random.Next(10, 200),
            TrailingEntries = _random.Next(0, 20),
            SegmentBytes = _random.Next(200, 4000),
        };
        _cluster = new(seed, servers: _random.Next(3) == 0 ? 5 : 3, spares: 2, mutation, options, trace);
        if (_storm) (_cluster.MaxDowntime, _cluster.MaxDelay, _cluster.RepeatRate) = (TimeSpan.FromMilliseconds(50), Milliseconds(5, 300), _random.NextDouble() / 2);
        foreach (var server in _cluster.Servers) server.DiskLatency = Milliseconds(1, 20);
    }

    /// <summary>Runs a seed, and once more with a trace when it fails.</summary>
    public static SimSummary Run(int seed, Mutation mutation = Mutation.None, bool storm = false)
    {
        try
        {
            return new SimScenario(seed, mutation, storm, trace: false).Run();
        }
        catch (Exception first) when (mutation == Mutation.None)
        {
            var again = new SimScenario(seed, mutation, storm, trace: true);
            try
            {
                again.Run();
            }
            catch (Exception e) when (e.Message == first.Message)
            {
                throw new ViolationException($"seed {seed}: {e}\nlast events:\n{string.Join('\n', again._cluster.LastTrace)}");
            }

            throw new ViolationException($"seed {seed} failed once and not again, so something is not deterministic: {first}");
        }
    }

    private SimSummary Run()
    {
        Client();
        Trouble();
        _cluster.RunUntil(s_trouble);
        Recover();
        _cluster.History.Check(_cluster.Servers.MaxBy(s => s.SeenApplied)!.Machine);
        return new(_seed, _cluster.Invariants.Elections, _cluster.Invariants.Committed, _cluster.History.Acknowledged, _cluster.History.Asked, _cluster.Events);
    }

    private void Client()
    {
        var server = Pick(_cluster.Servers);
        // Mostly who believes to lead, also when that is not so any more.
        if (_random.Next(4) != 0 && _cluster.Servers.Where(s => s.Core is { Role: RaftRole.Leader }).ToList() is { Count: > 0 } leaders) server = Pick(leaders);
        if (server.IsUp)
        {
            for (var burst = _random.Next(10) == 0 ? _random.Next(10) : 1; burst > 0; burst--)
            {
                var isWrite = _random.Next(3) != 0;
                var operation = _cluster.History.Begin(isWrite, _cluster.Now);
                if (isWrite) server.Write(operation);
                else server.Read(operation);
            }
        }

        _cluster.Schedule(Milliseconds(1, 60), Client);
    }

    private void Trouble()
    {
        if (_over) return;
        var server = Pick(_cluster.Servers);
        if (_random.Next(3) == 0 && _cluster.Leader is { } leader) server = leader;
        switch (_moving && _random.Next(2) == 0 ? 14 : _random.Next(_storm ? 11 : 16))
        {
            case 0 or 1 when server.IsUp:
                server.Die(powerLoss: _random.Next(2) == 0);
                break;
            case 2 or 3 or 4:
                server.Disk.PointsUntilCrash = _random.Next(12);
                break;
            case 5:
                Isolate(server);
                break;
            case 6:
                Split();
                break;
            case 7 or 8:
                _cluster.Trace($"the network is whole again");
                _cluster.Heal();
                break;
            case 9 or 10:
                Rivalry();
                break;
            case 11:
                (_cluster.DropRate, _cluster.RepeatRate, _cluster.MaxDelay) = (_random.Next(3) * 0.1, _random.Next(3) * 0.1, Milliseconds(2, _random.Next(2) == 0 ? 20 : 400));
                break;
            case 12:
                server.DiskLatency = Milliseconds(1, _random.Next(3) == 0 ? 1500 : 20);
                break;
            case 13:
                server.SetClockRate(0.6 + _random.NextDouble());
                break;
            case 14:
                ChangeMembership();
                break;
            default:
                if (_random.Next(2) == 0) server.TakeSnapshot();
                else Handover();
                break;
        }

        _cluster.Schedule(Milliseconds(10, _pace), Trouble);
    }

    private void Isolate(SimServer server)
    {
        var (inwards, outwards) = (_random.Next(3) != 0, _random.Next(3) != 0);
        _cluster.Trace($"{server.Id} is cut off, inwards {inwards}, outwards {outwards}");
        foreach (var other in _cluster.Servers.Where(s => s != server))
        {
            if (inwards) _cluster.Cut(other.Id, server.Id);
            if (outwards) _cluster.Cut(server.Id, other.Id);
        }
    }

    private void Split()
    {
        var side = _cluster.Servers.ToDictionary(s => s.Id, _ => _random.Next(2));
        _cluster.Trace($"the network splits: {string.Join(' ', side.Where(s => s.Value == 0).Select(s => s.Key))} | {string.Join(' ', side.Where(s => s.Value == 1).Select(s => s.Key))}");
        foreach (var from in side)
            foreach (var to in side.Where(to => to.Value != from.Value)) _cluster.Cut(from.Key, to.Key);
    }

    /// <summary>The leader falls, two that cannot hear each other campaign at once, and those they ask fall with the first question and are back for the second.</summary>
    private void Rivalry()
    {
        _cluster.Leader?.Die(powerLoss: false);
        var (one, other) = (Pick(_cluster.Servers), Pick(_cluster.Servers));
        _cluster.Trace($"{one.Id} and {other.Id} become rivals");
        _cluster.Cut(one.Id, other.Id);
        _cluster.Cut(other.Id, one.Id);
        foreach (var server in _cluster.Servers)
        {
            // The others no longer count on the leader, and do not campaign yet.
            server.JumpClock(TimeSpan.FromMilliseconds(server == one || server == other ? 1000 : 500));
            if (_random.Next(3) == 0) continue;
            _cluster.Schedule(_cluster.MaxDelay * _random.NextDouble(), () =>
            {
                if (server.IsUp && !_over) server.Die(powerLoss: _random.Next(2) == 0);
            });
        }
    }

    private void ChangeMembership() => _cluster.Leader?.Do(core =>
    {
        var server = _random.Next(3) == 0 ? _cluster.Find(core.Id) : Pick(_cluster.Servers);
        var answer = core.Configuration.Find(server.Id) is null || _random.Next(3) == 0
            ? core.AddServer(server.Id, $"{server.Id}:4647", promote: _random.Next(8) != 0)
            : core.RemoveServer(server.Id);
        _cluster.Trace($"change of {server.Id} asked of {core.Id}: {(object?)answer.Position ?? answer.Refusal}, {core.Configuration}");
    });

    private void Handover() => _cluster.Leader?.Do(core => core.TransferLeadership(_random.Next(2) == 0 ? null : Pick(_cluster.Servers).Id));

    private void Recover()
    {
        _over = true;
        _cluster.Trace($"all is well again");
        _cluster.Heal();
        (_cluster.DropRate, _cluster.RepeatRate, _cluster.MaxDelay, _cluster.MaxDowntime) = (0, 0, TimeSpan.FromMilliseconds(10), TimeSpan.FromMilliseconds(100));
        foreach (var server in _cluster.Servers)
        {
            server.DiskLatency = TimeSpan.FromMilliseconds(2);
            server.SetClockRate(1);
            server.Disk.PointsUntilCrash = -1;
            if (!server.IsUp) server.Start();
        }

        var deadline = _cluster.Now + s_recovery;
        List<History.Operation> asked = [];
        Ask();
        _cluster.RunUntil(deadline, IsServed);
        if (!IsServed()) throw new ViolationException($"liveness: no write and read in {s_recovery.TotalSeconds} s after all trouble was over; {States()}");
        var goal = _cluster.Invariants.Committed;
        _cluster.RunUntil(deadline, () => _cluster.Leader?.Core is { } leader && leader.Configuration.Servers.All(m => _cluster.Find(m.Id).SeenApplied >= goal));
        if (_cluster.Leader?.Core is not { } last || !last.Configuration.Servers.All(m => _cluster.Find(m.Id).SeenApplied >= goal)) throw new ViolationException($"liveness: not every member has reached entry {goal}; {States()}");

        bool IsServed() => asked.Any(o => o is { IsWrite: true, Version: not null }) && asked.Any(o => o is { IsWrite: false, Version: not null });

        void Ask()
        {
            if (_cluster.Leader is { } leader)
            {
                asked.AddRange([_cluster.History.Begin(isWrite: true, _cluster.Now), _cluster.History.Begin(isWrite: false, _cluster.Now)]);
                leader.Write(asked[^2]);
                leader.Read(asked[^1]);
            }

            if (!IsServed()) _cluster.Schedule(TimeSpan.FromMilliseconds(300), Ask);
        }
    }

    private string States() => string.Join("; ", _cluster.Servers.Select(s => s.Core is { } c ? $"{s.Id} {c.Role} of term {c.Term}, leader {c.LeaderId}, log {c.Log.Base.Index}..{c.Last.Index}, commit {c.Commit}, applied {c.Applied}, {c.Configuration}" : $"{s.Id} down"));

    private T Pick<T>(IReadOnlyList<T> from) => from[_random.Next(from.Count)];

    private TimeSpan Milliseconds(int least, int most) => TimeSpan.FromMilliseconds(least + (_random.NextDouble() * (most - least)));
}
