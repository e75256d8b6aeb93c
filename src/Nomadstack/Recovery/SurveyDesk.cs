// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Peers;
using Nomadstack.Products;
using Nomadstack.Servers;

namespace Nomadstack.Recovery;

/// <summary>Tells what raft data this node has. Reads the disk, so it works without any server; changes nothing.</summary>
internal sealed class SurveyDesk(NodeContext context, ServerHost host) : ISurveyDesk
{
    public async Task<NodeSurvey> SurveyAsync(CancellationToken cancel) =>
        new(context.Node.Id, context.Node.Name, await Task.WhenAll(host.Servers.Select(s => OfAsync(s.Record, s.Instance, cancel))));

    public static async Task<ServerSurvey> OfAsync(ServerRecord record, ServerInstance instance, CancellationToken cancel)
    {
        var reading = instance.Product.RaftOnDiskAsync(instance.Site, cancel);
        var runs = instance.Process.Pid is not null;
        // For seconds after the others died, a server still names a leader; only one that answers counts.
        var leader = runs ? (await instance.ObserveAsync(cancel))?.LeaderAddress : null;
        var disk = await reading;
        return new(
            record.Role, record.RaftId, instance.Site.RaftAddress,
            disk.State switch
            {
                RaftDataState.Present => ServerSurvey.Present,
                RaftDataState.Blank => ServerSurvey.Blank,
                _ => ServerSurvey.Unreadable,
            },
            disk.Why, record.Epoch, runs, leader, disk.Term, disk.LastTerm, disk.LastIndex, disk.PeersIndex, [.. (disk.Peers ?? []).Select(p => new SurveyPeer(p.Id, p.Address, p.Voter))]);
    }
}
