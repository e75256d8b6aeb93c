// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging;
using Nomadstack.Cluster;
using Nomadstack.Operations;
using Nomadstack.Peers;
using Nomadstack.Products;

namespace Nomadstack.Recovery;

/// <summary>One reading for <see cref="RecoverOperation"/>.</summary>
/// <param name="Waiting">Products whose kept server does not lead alone yet, with its node.</param>
internal sealed record RecoverFacts(IReadOnlyList<string> Unasked, IReadOnlyList<(string Product, string Node)> Waiting);

/// <summary>A step of <see cref="RecoverOperation"/>.</summary>
internal abstract record RecoverStep
{
    private RecoverStep()
    {
    }

    internal sealed record Ask(string Product) : RecoverStep;

    internal sealed record Await(string Product) : RecoverStep;
}

/// <summary>
/// <c>nomadstack recover</c>: gives up the majority of a product's voters, as its plan says. What is to be kept is a setting, written before anything is done; each node does its part when it
/// sees it (<see cref="RecoveryKeeper"/>), and any server node could go on.
/// </summary>
/// <param name="survey">The raft data of all server nodes that answer.</param>
internal sealed class RecoverOperation(NodeContext context, Func<CancellationToken, Task<IReadOnlyList<NodeSurvey>>> survey)
{
    public const string Kind = "recover";

    /// <summary>What would be done about each product of the cluster.</summary>
    /// <param name="accepted">Names of nodes that never return.</param>
    /// <exception cref="ProblemException"><c>recover/unknown-node</c>, <c>recover/not-here</c>, <c>recover/agent-too-old</c>.</exception>
    public async Task<IReadOnlyList<ProductPlan>> PlanAsync(IReadOnlyList<string> accepted, CancellationToken cancel)
    {
        if (context.Membership.Current is not { } cluster || context.Membership.Signer is not { IsServer: true }) throw new ProblemException(RecoveryProblems.NotHere());
        var surveys = await survey(cancel);
        var known = cluster.Nodes.Values.Where(n => !n.Removed).Select(n => n.Name).Concat(surveys.SelectMany(n => n.Servers).SelectMany(s => s.Peers).Select(p => p.Address)).ToHashSet();
        if (accepted.FirstOrDefault(name => !known.Contains(name)) is { } unknown) throw new ProblemException(RecoveryProblems.UnknownNode(unknown));
        // What it has is unknown, it runs on, and it would not see that its past was given up.
        if (surveys.FirstOrDefault(s => s.IsTooOld) is { } old) throw new ProblemException(RecoveryProblems.AgentTooOld(old.Node));
        var answered = surveys.Select(s => s.Node).ToHashSet();
        return [.. context.Products.Select(p => RecoveryPlan.For(new(p.Name, p.Title, Servers(cluster, p, surveys), accepted.ToHashSet(), cluster.Settings.RecoveryEpoch(p.Name), KeptServer.Parse(cluster.Settings.Text(SettingNames.RecoveryKeep(p.Name)))?.Epoch ?? 0, answered, NodesAt(cluster, p))))];
    }

    /// <summary>The request of the operation that carries out a plan: the server that is kept, by product.</summary>
    /// <exception cref="ProblemException">The first refusal; <c>recover/nothing-to-do</c>.</exception>
    public static IReadOnlyDictionary<string, string> RequestOf(IReadOnlyList<ProductPlan> plans)
    {
        if (plans.OfType<ProductPlan.Refused>().FirstOrDefault() is { } refused) throw new ProblemException(refused.Problem);
        var request = plans.OfType<ProductPlan.GiveUp>().ToDictionary(p => p.Product, p => new KeptServer(p.Epoch, p.Keep.RaftId).Text);
        return request.Count > 0 ? request : throw new ProblemException(RecoveryProblems.NothingToDo(plans.OfType<ProductPlan.Nothing>().Select(p => $"{ProductTable.Known[p.Product].Title}: {p.Why}.")));
    }

    public Task FollowAsync(OperationRun run, CancellationToken cancel) => new Following(context, run).RunAsync(run, cancel);

    private static Dictionary<string, string> NodesAt(ClusterDocument cluster, Product product) =>
        cluster.Nodes.Values.Where(n => !n.Removed).GroupBy(n => HostPort.Join(n.Address, n.Ports.Of(product, ProductPort.Server, ProductPort.Rpc))).ToDictionary(g => g.Key, g => g.First().Name);

    private static List<KnownRaft> Servers(ClusterDocument cluster, Product product, IReadOnlyList<NodeSurvey> surveys)
    {
        var answered = surveys.SelectMany(n => n.Servers.Where(s => s.Product == product.Name).Select(s => new KnownRaft(n.Node, s.RaftId, s))).ToList();
        // A disk that was lost has no server any more, but the others remember it.
        return [.. answered, .. KnownServer.Of(cluster, product.Name).Where(k => answered.All(a => a.RaftId != k.Entry.RaftId)).Select(k => new KnownRaft(k.NodeName, k.Entry.RaftId, null))];
    }

    private sealed class Following(NodeContext context, OperationRun asked) : Flow<RecoverFacts, RecoverStep>(context.Time, context.Logs.CreateLogger<RecoverOperation>())
    {
        protected override TimeSpan Poll { get; } = TimeSpan.FromMilliseconds(100);

        protected override bool IsPastTheCommitPoint => true;

        private IEnumerable<(string Product, KeptServer Kept)> Wanted => asked.Request.Select(r => (r.Key, Kept: KeptServer.Parse(r.Value))).Where(r => r.Kept is not null).Select(r => (r.Key, r.Kept!));

        protected override Task<RecoverFacts> ObserveAsync(Action<string> say, CancellationToken cancel)
        {
            var settings = context.Membership.Settings!;
            List<string> unasked = [];
            List<(string, string)> waiting = [];
            foreach (var (product, kept) in Wanted.Where(w => settings.RecoveryEpoch(w.Product) < w.Kept.Epoch))
            {
                if (KeptServer.Parse(settings.Text(SettingNames.RecoveryKeep(product))) is not { } now || now.Epoch < kept.Epoch) unasked.Add(product);
                else waiting.Add((product, KnownServer.Of(context.Membership.Current, product).FirstOrDefault(s => s.Entry.RaftId == now.RaftId)?.NodeName ?? now.RaftId));
            }

            if (waiting is [var (what, node), ..]) say($"the {context.Table[what].Title} server of {node} to lead alone");
            return Task.FromResult(new RecoverFacts(unasked, waiting));
        }

        protected override Next<RecoverStep> Decide(RecoverFacts facts) =>
            facts.Unasked is [var product, ..] ? new Next<RecoverStep>.Step(new RecoverStep.Ask(product), $"give up the majority of the {context.Table[product].Title} voters")
            : facts.Waiting is [var (waiting, node), ..] ? new Next<RecoverStep>.Step(new RecoverStep.Await(waiting), $"start the {context.Table[waiting].Title} server of {node} alone")
            : new Next<RecoverStep>.Done("there are leaders again; servers are placed on other nodes until there are as many as before");

        protected override Task ActAsync(RecoverStep step, OperationRun run, CancellationToken cancel) => step is not RecoverStep.Ask(var product)
            ? Task.CompletedTask
            : Fault.AroundAsync("recover-ask-" + product, () =>
            {
                context.Membership.Set(SettingNames.RecoveryKeep(product), run.Request[product]);
                return Task.CompletedTask;
            });
    }
}
