// SPDX-License-Identifier: MPL-2.0
using System.Collections.Concurrent;
using Nomadstack.Cluster;
using Nomadstack.Peers;
using Nomadstack.Timeline;

namespace Nomadstack.Node;

/// <summary>What happened on all nodes, as far as they answer.</summary>
internal sealed partial class NodePeers
{
    /// <summary>In a cluster of 500 nodes not all are asked at once.</summary>
    private const int AskedAtOnce = 16;

    /// <summary>Asks every node that is meant, and waits for none that is known to be silent.</summary>
    /// <exception cref="ProblemException"><c>timeline/unknown-node</c>, <c>timeline/unreadable</c>.</exception>
    public async Task<TimelineDocument> TimelineAsync(TimelineQuery query, CancellationToken cancel)
    {
        var others = context.Membership.Others.Where(n => query.Node is null || n.Name == query.Node).ToList();
        var own = query.Node is null || query.Node == context.Node.Name;
        if (!own && others.Count == 0) throw new ProblemException(TimelineProblems.UnknownNode(query.Node!));
        ConcurrentBag<(string Node, TimelinePart Part)> parts = [];
        ConcurrentBag<MissingTimeline> missing = [];
        if (own) parts.Add((context.Node.Name, OwnTimeline(query)));
        await Parallel.ForEachAsync(others, new ParallelOptions { MaxDegreeOfParallelism = AskedAtOnce, CancellationToken = cancel }, async (node, stop) =>
        {
            if (_peering is not { } peering) missing.Add(new(node.Name, "this agent does not exchange with its peers yet"));
            else if (!IsReachable(node.Id)) missing.Add(new(node.Name, "no agent answers there"));
            else
            {
                try
                {
                    parts.Add((node.Name, await peering.Client.TimelineAsync(node.Id, query, stop)));
                }
                catch (ProblemException e)
                {
                    var older = e.Problem.Code == PeerProblems.NoSuchRouteCode;
                    missing.Add(new(node.Name, older ? "the agent there is older and keeps no timeline" : $"{e.Problem.What} {e.Problem.Why}"));
                }
            }
        });
        return TimelineDocument.Merge(parts, missing, Clocks?.InWords() ?? "", Math.Clamp(query.Most, 1, TimelineQuery.MostEvents));
    }

    private TimelinePart OwnTimeline(TimelineQuery query)
    {
        try
        {
            return JournalFile.Read(context.Paths.Timeline, query);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ProblemException(TimelineProblems.NotReadable(context.Paths.Timeline, e.Message), e);
        }
    }

    private void TellContact(string nodeId, Problem? why)
    {
        var name = NameOf(nodeId);
        if (why is null) context.Timeline.Tell(EventKinds.PeerBack, $"The agent on {name} answers again.", (EventFields.Peer, name));
        else context.Timeline.Tell(EventKinds.PeerLost, $"The agent on {name} does not answer. {why.Why.TrimEnd('.')}.", (EventFields.Peer, name), (EventFields.Problem, why.Code));
    }

    private string NameOf(string nodeId) => context.Membership.Current?.Nodes.GetValueOrDefault(nodeId)?.Name ?? nodeId;
}
