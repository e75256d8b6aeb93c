// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Ground.Http;
using Nomadstack.Processes;
using Nomadstack.Products;
using Nomadstack.Storage;

namespace Nomadstack.Servers;

/// <summary>
/// One job or bootstrap server of this node: its process is started, observed, and taken out of its cluster.
/// Every call may be repeated after a crash of the agent in the middle of it.
/// </summary>
internal sealed class ServerInstance(ServerSite site, IProduct product, ProductEndpoints endpoints, IOwnedProcess process, TimeProvider time)
{
    /// <summary>Both products limit a graceful leave to 5 s. The rest is for the process to end.</summary>
    private static readonly TimeSpan s_leaveDeadline = TimeSpan.FromSeconds(15);

    /// <summary>A transfer takes one election at most.</summary>
    private static readonly TimeSpan s_transferDeadline = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan s_stopDeadline = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_callDeadline = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_poll = TimeSpan.FromMilliseconds(100);

    public ServerSite Site { get; } = site;
    public IOwnedProcess Process { get; } = process;
    public IProduct Product { get; } = product;

    /// <summary>Made anew each time: what this node shows there is renewed while the server runs.</summary>
    public Endpoint Endpoint => endpoints.Of(Site);

    /// <summary>Starts the server, or adopts the one that runs, even if an older agent gave it other arguments. Writes its configuration first.</summary>
    public async Task StartAsync(IReadOnlyList<string> join, int voters, string? version, CancellationToken cancel)
    {
        var spec = Product.PrepareServer(Site, join, voters, version);
        if (await RunsAsync(cancel))
        {
            Process.Renew(spec);
            return;
        }

        Product.BeforeServerStart(Site);
        await Process.StartAsync(spec, cancel);
    }

    /// <summary>Whether the process runs. Adopts it after a restart of the agent.</summary>
    public async Task<bool> RunsAsync(CancellationToken cancel) => (await Process.OpenAsync(cancel)).Running is not null;

    /// <summary>Writes the configuration again for the next start. The running process does not change.</summary>
    public ProcessSpec Prepare(IReadOnlyList<string> join, int voters, string? version) => Product.PrepareServer(Site, join, voters, version);

    /// <summary>Whether something listens at its HTTP port: the cheapest sign that it has started.</summary>
    public Task<bool> ListensAsync(CancellationToken cancel) => Listening.AtAsync(Site.Address, Site.Http, cancel);

    /// <summary>Makes the running server read its files again. False if it is not ready for that: then nothing was done.</summary>
    public async Task<bool> ReloadAsync(CancellationToken cancel)
    {
        if (!await Listening.TakesReloadAsync(Site.Address, Site.Http, time, cancel)) return false;
        Process.Signal(Signals.SIGHUP);
        return true;
    }

    public IServerApi Api => Product.Server(Endpoint);

    public Task<RaftView?> ObserveAsync(CancellationToken cancel) => Api.ObserveAsync(cancel);

    /// <summary>Stops the process without a leave: it stays in the raft configuration, as after a power cut.</summary>
    public Task StopAsync(CancellationToken cancel) => Process.StopAsync(Signals.SIGTERM, s_stopDeadline, cancel);

    /// <summary>Ends the process at once: every answer it still gives is one too many.</summary>
    public async Task KillAsync(CancellationToken cancel)
    {
        await Process.OpenAsync(cancel);
        await Process.StopAsync(Signals.SIGTERM, s_stopDeadline, cancel, Task.CompletedTask);
    }

    /// <summary>Transfers leadership if the API can, then stops the process. It stays in the raft configuration.</summary>
    public async Task StepAsideAsync(IReadOnlyList<RaftMember> voters, CancellationToken cancel)
    {
        await TransferAwayAsync([.. voters.Select(v => v.RaftId)], _ => { }, cancel);
        await StopAsync(cancel);
    }

    /// <summary>
    /// Takes the server out of its cluster: transfers leadership if the API can, leaves, exits, and checks through the survivors that
    /// the raft configuration no longer contains it. The caller has written the intent and checked that the survivors are enough.
    /// </summary>
    /// <param name="survivors">The product's other servers in the membership at the time of the call.</param>
    /// <param name="say">Called with what it waits for.</param>
    public async Task LeaveClusterAsync(Func<IReadOnlyList<KnownServer>> survivors, Action<string> say, CancellationToken cancel)
    {
        if (await RunsAsync(cancel))
        {
            await TransferAwayAsync([.. survivors().Where(s => s.IsClaimed).Select(s => s.Entry.RaftId)], say, cancel);
            say("the server to leave its cluster");
        }

        await Fault.AroundAsync("leave-" + Site.ProcessName, async () =>
        {
            // At the first cluster's pivot there is time for a complete leave, so that gossip forgets the bootstrap ports.
            if (Site.Bootstrap) await Product.LeaveAsync(Endpoint, Process, s_leaveDeadline, null, cancel);
            else await LeaveWatchedAsync(survivors, cancel);
        });
        say("the others to confirm that it has left");
        while (!await ConfirmedGoneAsync(survivors(), cancel)) await Task.Delay(s_poll, time, cancel);
    }

    /// <summary>Moves the folder to where old raft data is kept (I7), without its configuration: a bootstrap server's may contain the first token. May be repeated.</summary>
    public void Retire(NodePaths paths)
    {
        if (File.Exists(Site.ConfigFile)) File.Delete(Site.ConfigFile);
        Retirement.Retire(paths, Site.Folder, $"{Site.ProcessName}-{Site.RaftId[..8]}", time.GetUtcNow());
    }

    private async Task TransferAwayAsync(HashSet<string> heirs, Action<string> say, CancellationToken cancel)
    {
        var view = await ObserveAsync(cancel);
        if (view is not { Leads: true }) return;
        var heir = view.Members.FirstOrDefault(m => m is { Voter: true, Healthy: true } && m.RaftId != Site.RaftId && heirs.Contains(m.RaftId));
        if (heir is null) return;
        say("leadership to move");
        // If the API has no transfer (Nomad before 1.7), the leave costs one election.
        if (await Api.TransferLeadershipAsync(heir.RaftId, s_transferDeadline, cancel) is not LeadershipTransfer.Asked) return;
        await UntilAsync(s_transferDeadline, async c => await ObserveAsync(c) is { HasLeader: true, Leads: false }, cancel);
    }

    private async Task LeaveWatchedAsync(Func<IReadOnlyList<KnownServer>> survivors, CancellationToken cancel)
    {
        using var watching = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var goneOrEnded = WatchItGoAsync(survivors, watching.Token);
        try
        {
            await Product.LeaveAsync(Endpoint, Process, s_leaveDeadline, goneOrEnded, cancel);
            await goneOrEnded;
        }
        finally
        {
            // A leave that failed is tried again, with a watch of its own.
            await watching.CancelAsync();
            await goneOrEnded.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Ends when the survivors' configuration no longer contains this server, or when its process has ended.</summary>
    private async Task WatchItGoAsync(Func<IReadOnlyList<KnownServer>> survivors, CancellationToken cancel)
    {
        while (Process.Pid is not null)
        {
            if (await RaftView.AskAnyAsync(survivors().Select(Reach), cancel) is { HasLeader: true } view && view.Member(Site.RaftId) is null) return;
            await Task.Delay(s_poll, time, cancel);
        }
    }

    private async Task<bool> ConfirmedGoneAsync(IReadOnlyList<KnownServer> survivors, CancellationToken cancel)
    {
        foreach (var survivor in survivors)
        {
            var api = Reach(survivor);
            if (await api.ObserveAsync(cancel) is not { HasLeader: true } view) continue;
            if (view.Member(Site.RaftId) is null)
            {
                // Without this, a process that was killed stays "failed" in gossip for a day.
                await api.ForgetMemberAsync(Product.MemberName(Site.Name), prune: false, s_callDeadline, cancel);
                return true;
            }

            await api.RemovePeerAsync(Site.RaftId, s_callDeadline, cancel);
        }

        return false;
    }

    private IServerApi Reach(KnownServer server) => Product.Server(endpoints.Of(Product.Row, server));

    private async Task UntilAsync(TimeSpan deadline, Func<CancellationToken, Task<bool>> condition, CancellationToken cancel)
    {
        var start = time.GetTimestamp();
        while (!await condition(cancel) && time.GetElapsedTime(start) < deadline) await Task.Delay(s_poll, time, cancel);
    }
}
