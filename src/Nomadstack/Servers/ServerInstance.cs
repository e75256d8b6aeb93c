// SPDX-License-Identifier: MPL-2.0
using System.Net;
using System.Net.Sockets;
using Nomadstack.Cluster;
using Nomadstack.Ground.Http;
using Nomadstack.Processes;
using Nomadstack.Products;
using Nomadstack.Storage;

namespace Nomadstack.Servers;

/// <summary>
/// One server process of this node, job or bootstrap alike: started, observed, and taken out of its cluster.
/// Every call may be repeated after a crash of the agent in the middle of it.
/// </summary>
internal sealed class ServerInstance(ServerSite site, IProduct product, ProductEndpoints endpoints, IOwnedProcess process, TimeProvider time)
{
    /// <summary>A graceful leave is capped at 5 s by both products; the rest is for the process to end.</summary>
    private static readonly TimeSpan s_leaveDeadline = TimeSpan.FromSeconds(15);

    /// <summary>A transfer takes one election at most.</summary>
    private static readonly TimeSpan s_transferDeadline = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan s_stopDeadline = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_callDeadline = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_poll = TimeSpan.FromMilliseconds(100);

    public ServerSite Site { get; } = site;
    public IOwnedProcess Process { get; } = process;
    public IProduct Product { get; } = product;
    public Endpoint Endpoint { get; } = endpoints.Of(site);

    /// <summary>Starts the server, or adopts the one that runs, whatever arguments an older agent gave it. Its configuration is written first.</summary>
    public async Task StartAsync(IReadOnlyList<string> join, int voters, string? version, CancellationToken cancel)
    {
        var spec = Product.PrepareServer(Site, join, voters, version);
        if (await RunsAsync(cancel)) return;
        await Process.StartAsync(spec, cancel);
    }

    /// <summary>Whether the process runs; adopts it when this agent is new.</summary>
    public async Task<bool> RunsAsync(CancellationToken cancel) => (await Process.OpenAsync(cancel)).Running is not null;

    /// <summary>Writes the configuration anew for the next start; the running process is not touched.</summary>
    public ProcessSpec Prepare(IReadOnlyList<string> join, int voters, string? version) => Product.PrepareServer(Site, join, voters, version);

    /// <summary>Whether something listens at its HTTP port: the cheapest sign that it has come up.</summary>
    public async Task<bool> ListensAsync(CancellationToken cancel)
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(IPAddress.Parse(Site.Address), Site.Http, cancel);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    public IServerApi Api { get; } = product.Server(endpoints.Of(site));

    public Task<RaftView?> ObserveAsync(CancellationToken cancel) => Api.ObserveAsync(cancel);

    /// <summary>Stops the process as a power cut would be survived: no leave, the raft configuration keeps it.</summary>
    public Task StopAsync(CancellationToken cancel) => Process.StopAsync(Signals.SIGTERM, s_stopDeadline, cancel);

    /// <summary>Gives leadership away where the API can, then stops the process; it stays in the raft configuration.</summary>
    public async Task StepAsideAsync(IReadOnlyList<RaftMember> voters, CancellationToken cancel)
    {
        await TransferAwayAsync([.. voters.Select(v => v.RaftId)], _ => { }, cancel);
        await StopAsync(cancel);
    }

    /// <summary>
    /// Takes the server out of its cluster: leadership away where the API can, leave, exit, and a check through the survivors that
    /// the raft configuration no longer names it. The caller has written the intent and made sure that the survivors suffice.
    /// </summary>
    /// <param name="survivors">The product's other servers, as the membership knows them at the time of the call.</param>
    /// <param name="say">Told what is waited for.</param>
    public async Task LeaveClusterAsync(Func<IReadOnlyList<KnownServer>> survivors, Action<string> say, CancellationToken cancel)
    {
        if (await RunsAsync(cancel))
        {
            await TransferAwayAsync([.. survivors().Where(s => s.IsClaimed).Select(s => s.Entry.RaftId)], say, cancel);
            say("the server to leave its cluster");
        }

        await Fault.AroundAsync("leave-" + Site.ProcessName, async () =>
        {
            // Nobody waits for a first cluster's pivot, and gossip is to see the whole of that leave: it must not remember the bootstrap ports.
            var goneOrEnded = Site.Bootstrap ? null : WatchItGoAsync(survivors, cancel);
            await Product.LeaveAsync(Endpoint, Process, s_leaveDeadline, goneOrEnded, cancel);
            if (goneOrEnded is not null) await goneOrEnded;
        });
        say("the others to confirm that it has left");
        while (!await ConfirmedGoneAsync(survivors(), cancel)) await Task.Delay(s_poll, time, cancel);
    }

    /// <summary>Moves the folder to where old raft data is kept (I7); done already is done.</summary>
    public void Retire(NodePaths paths) => Retirement.Retire(paths, Site.Folder, $"{Site.ProcessName}-{Site.RaftId[..8]}", time.GetUtcNow());

    private async Task TransferAwayAsync(HashSet<string> heirs, Action<string> say, CancellationToken cancel)
    {
        var view = await ObserveAsync(cancel);
        if (view is not { Leads: true }) return;
        var heir = view.Members.FirstOrDefault(m => m is { Voter: true, Healthy: true } && m.RaftId != Site.RaftId && heirs.Contains(m.RaftId));
        if (heir is null) return;
        say("leadership to move");
        // Where the API has no transfer (Nomad before 1.7), the leave itself costs one election.
        if (await Api.TransferLeadershipAsync(heir.RaftId, s_transferDeadline, cancel) is not LeadershipTransfer.Asked) return;
        await UntilAsync(s_transferDeadline, async c => await ObserveAsync(c) is { HasLeader: true, Leads: false }, cancel);
    }

    /// <summary>Ends when the survivors no longer name this server, or when its process has ended.</summary>
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
                // A process that was killed instead of leaving stays "failed" in gossip for a day otherwise.
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
