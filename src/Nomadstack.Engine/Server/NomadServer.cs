// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging;
using Nomadstack.Engine.Configuration;
using Nomadstack.Engine.Raft;
using Nomadstack.Engine.Rpc;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Server;

/// <summary>One server: its raft, its state, the other servers, and while it leads what only a leader does.</summary>
internal sealed class NomadServer : IAsyncDisposable
{
    /// <summary>How long a call is held while there is no leader.</summary>
    public static readonly TimeSpan LeaderHold = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan s_leaveDeadline = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_bootstrapLook = TimeSpan.FromMilliseconds(250);

    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly Signal _leadership = new();
    private readonly TaskCompletionSource _leaveAsked = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile LeaderSession? _session;

    public NomadServer(AgentConfig config, AgentTls tls, TimeProvider time, ILogger log)
    {
        (Config, _time, _log) = (config, time, log);
        Http = new PeerHttp(tls);
        State = new ServerState(time);
        Raft = new RaftHost(config, tls, State, time, log);
        Raft.Open();
        Writer = new LogWriter(Raft);
        var self = new ServerMember
        {
            Name = config.MemberName,
            ID = Raft.Id,
            Region = config.Region,
            Datacenter = config.Datacenter,
            Build = EngineVersion.Text,
            Rpc = config.Advertise.Rpc,
            Serf = config.Advertise.Serf,
            Expect = config.Server!.BootstrapExpect,
            InRaft = Raft.InRaft,
            // Later lives win over earlier ones.
            Incarnation = time.GetUtcNow().ToUnixTimeMilliseconds(),
        };
        Keys = KeyRing.Open(Path.Combine(config.DataDir, "server"), config.Server.Encrypt, log);
        Members = new Membership(config, new MemberTable(self, time), Keys, Http, Report, time, log);
        Autopilot = new Autopilot(Raft, Members, () => AutopilotSettings, time, log);
    }

    public AgentConfig Config { get; }
    public ServerState State { get; }
    public RaftHost Raft { get; }
    public LogWriter Writer { get; }
    public Membership Members { get; }

    /// <summary>Of gossip.</summary>
    public KeyRing Keys { get; }

    public Autopilot Autopilot { get; }
    /// <summary>What is in the state, and the configuration's until something is.</summary>
    public AutopilotSettings AutopilotSettings => State.Current.AutopilotConfiguration is { } stored ? AutopilotSettings.Read(stored.Value) : Config.Autopilot;

    public PeerHttp Http { get; }
    public TimeProvider Time => _time;

    /// <summary>Present while this server leads and has applied everything that was in the log when it was elected.</summary>
    public LeaderSession? Session => _session;

    /// <summary>Ends when somebody asked this server, over its API, to leave the cluster.</summary>
    public Task LeaveAsked => _leaveAsked.Task;

    /// <summary>
    /// Null when there is none, or none we can reach. Gossip knows better where it is than this server's configuration, which is of before if the others were told of new addresses while it was away.
    /// </summary>
    public string? LeaderAddress => Raft.Node?.Status.LeaderServer is not { } leader ? null
        : Members.All.FirstOrDefault(m => m.Member.ID == leader.Id)?.Member.Rpc is { Length: > 0 } seen ? seen
        : leader.Address.Length > 0 ? leader.Address : null;

    /// <summary>Until it is cancelled, or something breaks.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(stop);
        List<Task> parts = [Members.SpeakToAllAsync(RaftAddresses, ending.Token), Members.JoinConfiguredAsync(ending.Token), BeginAsync(ending.Token), LeadAsync(ending.Token)];
        try
        {
            // Joining that is given up ends a server, and so does a raft that fails; that raft has begun ends nothing.
            while (parts.Count > 0)
            {
                var ended = await Task.WhenAny(parts);
                parts.Remove(ended);
                await ended;
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // Told to.
        }
        catch (OperationCanceledException) when (Raft.Node is { Completion.IsFaulted: true } failed)
        {
            // Everybody who waited for the raft was sent away; why it failed, it tells itself.
            await failed.Completion;
        }
        finally
        {
            await ending.CancelAsync();
            foreach (var part in parts) await part.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Takes this server out of the cluster: leadership goes to another, the others take it out of the raft. After the deadline it goes anyway.</summary>
    public async Task LeaveAsync(CancellationToken cancel)
    {
        using var late = new CancellationTokenSource(s_leaveDeadline, _time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancel);
        try
        {
            if (Raft.Node is { } node && node.Status.Configuration.Servers.Any(s => s.Id != node.Id))
            {
                if (node.Status.Leads) _log.LogInformation("Leadership transfer: {Outcome}", await node.TransferLeadershipAsync(null, both.Token));
                Members.Table.Change(self => self with { Leaving = true });
                await Members.RoundAsync(RaftAddresses(), both.Token);
                await node.WaitUntilAsync(s => s.Configuration.Find(node.Id) is null, both.Token);
            }
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            _log.LogWarning("The cluster did not remove this server within {Seconds} s; the server leaves anyway", s_leaveDeadline.TotalSeconds);
        }

        Members.Table.Change(self => self with { Leaving = true, Left = true });
        await Members.RoundAsync(RaftAddresses(), cancel);
    }

    public void AskToLeave() => _leaveAsked.TrySetResult();

    public async ValueTask DisposeAsync()
    {
        await Raft.DisposeAsync();
        Http.Dispose();
    }

    /// <summary>Waits for a leader: this server with its session, or another with an address.</summary>
    /// <exception cref="NotLeaderException">There was none until the deadline.</exception>
    public async Task<LeaderSession?> LeaderAsync(CancellationToken deadline)
    {
        try
        {
            while (true)
            {
                var next = _leadership.Next;
                if (Session is { } session) return session;
                if (Raft.Node is { Status.Leads: false } && LeaderAddress is not null) return null;
                await next.WaitAsync(deadline);
            }
        }
        catch (OperationCanceledException) when (deadline.IsCancellationRequested)
        {
            throw new NotLeaderException();
        }
    }

    /// <summary>Everything that was committed anywhere before the call is applied here afterwards.</summary>
    /// <exception cref="NotLeaderException">It could not be made sure.</exception>
    public async Task BarrierAsync(CancellationToken cancel)
    {
        if (Raft.Node is not { } node || await node.ReadIndexAsync(cancel) is not RaftOutcome.Done) throw new NotLeaderException();
    }

    private RaftReport? Report() => Raft.Node is { } node ? new(node.Status.Term, node.Status.Last, node.Status.Leader is null ? null : node.LastContact, node.Status.Leader) : null;

    private IEnumerable<string> RaftAddresses() => Raft.Node?.Status.Configuration.Servers.Select(s => s.Address) ?? [];

    private async Task BeginAsync(CancellationToken stop)
    {
        var expect = Config.Server!.BootstrapExpect;
        if (Raft.InRaft || expect == 0) Raft.Start();
        else if (expect == 1) Raft.Bootstrap([new RaftServer(Raft.Id, Config.Advertise.Rpc, Suffrage.Voter)]);
        else await ExpectAsync(expect, stop);

        var node = Raft.Node!;
        node.LeadershipChanged += _ => _leadership.Raise();
        _leadership.Raise();
        await node.WaitUntilAsync(s => s.Last > 0, stop);
        Members.Table.Change(self => self with { InRaft = true });
        await node.Completion.WaitAsync(stop);
    }

    /// <summary>Until as many servers are there as were told to begin together; or one of a raft, which will take us in.</summary>
    private async Task ExpectAsync(int expect, CancellationToken stop)
    {
        using var timer = new PeriodicTimer(s_bootstrapLook, _time);
        do
        {
            var alive = Members.All.Where(m => m.Status == MemberStatus.Alive).Select(m => m.Member).ToList();
            if (alive.Any(m => m.InRaft))
            {
                Raft.Start();
                return;
            }

            var equals = alive.Where(m => m.Expect == expect).ToList();
            if (equals.Count < expect) continue;
            Raft.Bootstrap(equals.Select(m => new RaftServer(m.ID, m.Rpc, Suffrage.Voter)));
            _log.LogInformation("A new cluster starts with {Servers}", string.Join(", ", equals.Select(m => m.Name)));
            return;
        }
        while (await timer.WaitForNextTickAsync(stop));
    }

    private async Task LeadAsync(CancellationToken stop)
    {
        var node = await Raft.Started.WaitAsync(stop);
        while (true)
        {
            var status = await node.WaitUntilAsync(s => s.Leads, stop);
            using var over = CancellationTokenSource.CreateLinkedTokenSource(stop);
            void End() => over.Cancel();
            State.Replaced += End;
            var lost = LostAsync(node, status.Term, over);
            try
            {
                await LeadOnceAsync(node, over.Token);
            }
            catch (OperationCanceledException) when (!stop.IsCancellationRequested)
            {
                _log.LogInformation("This server no longer leads term {Term}, or its state was replaced", status.Term);
            }
            finally
            {
                State.Replaced -= End;
                await over.CancelAsync();
                await lost.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private static async Task LostAsync(RaftNode node, long term, CancellationTokenSource over)
    {
        await node.WaitUntilAsync(s => !s.Leads || s.Term != term, over.Token);
        await over.CancelAsync();
    }

    private async Task LeadOnceAsync(RaftNode node, CancellationToken stop)
    {
        if (await node.ReadIndexAsync(stop) is not RaftOutcome.Done) return;
        await EnsureAutopilotAsync(stop);
        using var session = new LeaderSession(State, Writer, Config.Server!.FailoverHeartbeatTtl, _time, _log);
        _session = session;
        _leadership.Raise();
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(stop);
        Task[] parts = [session.RunAsync(ending.Token), Autopilot.RunAsync(ending.Token)];
        try
        {
            // Neither may end quietly and leave a leader that does half of its work.
            await await Task.WhenAny(parts);
        }
        finally
        {
            _session = null;
            await ending.CancelAsync();
            foreach (var part in parts) await part.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>The configuration's settings are the cluster's first; what operators set later wins.</summary>
    private async Task EnsureAutopilotAsync(CancellationToken stop)
    {
        if (State.Current.AutopilotConfiguration is not null) return;
        try
        {
            await Writer.ApplyAsync(new SetAutopilotConfiguration(Config.Autopilot.ToElement(), OnlyAt: 0), stop);
        }
        catch (ServerException e)
        {
            _log.LogInformation("The initial autopilot settings could not be written: {Reason}", e.Message);
        }
    }
}
