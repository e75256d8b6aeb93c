// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging;
using Nomadstack.Cluster;
using Nomadstack.Ground.Http;
using Nomadstack.Operations;
using Nomadstack.Peers;
using Nomadstack.Products;
using Nomadstack.Security;

namespace Nomadstack.Securing;

/// <summary>
/// <c>nomadstack rotate</c>: replaces certificates, authorities, gossip keys and tokens while the cluster runs. A node that is away reads what is new when it comes back.
/// What was asked, and what is made so far, is in the cluster's settings and secrets: any server node can go on with it.
/// </summary>
/// <param name="isReachable">Whether this node reaches the agent of another node, by node id.</param>
internal sealed class RotateOperation(NodeContext context, IReadOnlyDictionary<string, IProduct> products, Func<string, bool> isReachable)
{
    public const string Kind = "rotate", ItemsKey = "items";

    /// <summary>Serf gives up on an agent that does not answer after 5 to 10 s (run: 8 s).</summary>
    private static readonly TimeSpan s_callDeadline = TimeSpan.FromSeconds(15);

    /// <summary>Refuses what is impossible, and writes down what is wanted for every node to know.</summary>
    /// <param name="what">One of <see cref="RotationKinds"/>, or <c>all</c>.</param>
    /// <param name="product">The name of a product; null for all.</param>
    /// <exception cref="ProblemException"><c>rotate/*</c>, <c>settings/*</c>.</exception>
    public void Order(string what, string? product)
    {
        foreach (var item in Plan(what, product).Where(i => !IsUnderWay(i))) context.Membership.Set(SettingNames.Rotation(item.What, item.Product.Name), Wanted(item) + 1);
    }

    /// <summary>What is replaced, as <see cref="FollowAsync"/> reads it in the request under <see cref="ItemsKey"/>.</summary>
    /// <exception cref="ProblemException"><c>rotate/*</c>.</exception>
    public string Items(string what, string? product) => string.Join(' ', Plan(what, product).Select(i => $"{i.What}/{i.Product.Name}"));

    /// <summary>What is replaced, in that order. A product's agents get new tokens before what they say could be read with an old certificate.</summary>
    /// <exception cref="ProblemException"><c>rotate/*</c>.</exception>
    public IReadOnlyList<RotationItem> Plan(string what, string? product)
    {
        if (!context.Trust.IsSecure) throw new ProblemException(RotateProblems.OpenCluster());
        if (what != "all" && !RotationKinds.All.Contains(what)) throw new ProblemException(RotateProblems.Unknown(what));
        if (context.Membership.Signer is not { IsServer: true }) throw new ProblemException(RotateProblems.NotHere());
        var closed = context.Products.Where(context.Trust.Closes).ToList();
        if (product is not null && closed.All(p => p.Name != product)) throw new ProblemException(RotateProblems.NoProduct(product, closed.Select(p => p.Name)));
        // A new CA makes new certificates, but with the old keys; so both where all is replaced.
        return [.. from kind in RotationKinds.All.Reverse()
            where what == kind || what == "all"
            from row in closed
            where (product ?? row.Name) == row.Name && (kind != RotationKinds.Gossip || row.Gossips)
            select new RotationItem(kind, row)];
    }

    /// <summary>Follows an ordered rotation to its end, also where another agent began to.</summary>
    public Task FollowAsync(OperationRun run, CancellationToken cancel)
    {
        List<RotationItem> items = [.. from item in run.Request.GetValueOrDefault(ItemsKey, "").Split(' ', StringSplitOptions.RemoveEmptyEntries)
            let parts = item.Split('/')
            select new RotationItem(parts[0], context.Table[parts[1]])];
        return new Following(this, items).RunAsync(run, cancel);
    }

    /// <summary>The nodes that are away: they read what is new when they come back.</summary>
    public IReadOnlyList<string> Away => [.. context.Membership.Others.Where(n => !isReachable(n.Id)).Select(n => n.Name).Order(StringComparer.Ordinal)];

    private int Wanted(RotationItem item) => context.Membership.Settings?.Number(SettingNames.Rotation(item.What, item.Product.Name)) ?? 0;

    private bool IsUnderWay(RotationItem item) => Wanted(item) > (context.Membership.Settings?.Number(SettingNames.Rotated(item.What, item.Product.Name)) ?? 0);

    private static IEnumerable<string> Tokens(Product product) => product.Security!.Tokens.Prepend(SecretNames.Management).Select(t => SecretNames.Token(product.Name, t));

    /// <summary>The names of the secrets that an item replaces.</summary>
    private static IReadOnlyList<string> Secrets(RotationItem item) => item.What switch
    {
        RotationKinds.Ca => [SecretNames.CaKey(item.Product.Name)],
        RotationKinds.Gossip => [SecretNames.Gossip(item.Product.Name)],
        RotationKinds.Tokens => [.. Tokens(item.Product)],
        _ => [],
    };

    private sealed class Following(RotateOperation owner, IReadOnlyList<RotationItem> items) : Flow<RotationFacts?, RotateStep>(owner.Context.Time, owner.Context.Logs.CreateLogger<RotateOperation>())
    {
        protected override TimeSpan Poll { get; } = TimeSpan.FromMilliseconds(250);

        // What is replaced is never put back: each step leaves a cluster that works.
        protected override bool IsPastTheCommitPoint => true;

        private ClusterTrust Trust => owner.Context.Trust;

        protected override async Task<RotationFacts?> ObserveAsync(Action<string> say, CancellationToken cancel)
        {
            if (items.FirstOrDefault(owner.IsUnderWay) is not { } item) return null;
            var secrets = Secrets(item);
            var next = secrets.Select(Trust.NextOf).ToList();
            var hasNext = next.TrueForAll(n => n is not null);
            var unread = owner.Unread(item.Product);
            if (unread.Count > 0) say($"{string.Join(", ", unread)} to read what is new");
            var seen = item.What == RotationKinds.Gossip && hasNext ? await GossipAsync(item.Product, say, cancel) : null;
            return new(
                item,
                unread,
                hasNext,
                hasNext && secrets.Zip(next).All(s => Trust.Open(s.First) == s.Second),
                item.What == RotationKinds.Ca && hasNext ? Order(Trust.AuthoritiesOf(item.Product), CredentialFiles.Split(next[0]!)[0]) : AuthorityOrder.OldAlone,
                seen is null ? null : seen.AllHave(next[0]!),
                seen?.Others(next[0]!).Any() == true);
        }

        protected override Next<RotateStep> Decide(RotationFacts? facts)
        {
            var decided = RotateDecision.Next(facts);
            return decided is Next<RotateStep>.Done && owner.Away is [_, ..] away
                ? new Next<RotateStep>.Done($"{string.Join(", ", away)} {(away.Count == 1 ? "was" : "were")} away and will read what is new on return")
                : decided;
        }

        protected override Task ActAsync(RotateStep step, OperationRun run, CancellationToken cancel) => step.Verb is RotateVerb.AwaitNodes or RotateVerb.AwaitGossip
            ? Task.CompletedTask
            : Fault.AroundAsync($"rotate-{step.Item.What}-{step.Item.Product.Name}-{step.Verb}".ToLowerInvariant(), () => DoAsync(step, run, cancel));

        private async Task DoAsync(RotateStep step, OperationRun run, CancellationToken cancel)
        {
            var (item, product) = (step.Item, step.Item.Product);
            switch (step.Verb)
            {
                case RotateVerb.MakeNext:
                    await MakeNextAsync(item, cancel);
                    break;
                case RotateVerb.TrustNext:
                    Trust.SetAuthorities(product, [Trust.AuthoritiesOf(product)[0], NextAuthority(product)]);
                    break;
                case RotateVerb.SignWithNext:
                    Trust.SetAuthorities(product, [NextAuthority(product), .. Trust.AuthoritiesOf(product).Where(a => a != NextAuthority(product))]);
                    break;
                case RotateVerb.TrustNextAlone:
                    Trust.SetAuthorities(product, [NextAuthority(product)]);
                    break;
                case RotateVerb.InstallNext:
                    await GossipDoesAsync(product, run, keys => keys.InstallAsync(Next(item), s_callDeadline, cancel), cancel);
                    break;
                case RotateVerb.ChooseNext:
                    foreach (var secret in Secrets(item)) Trust.Keep(secret, Trust.NextOf(secret)!);
                    break;
                case RotateVerb.RemoveOthers:
                    await GossipDoesAsync(product, run, keys => RemoveOthersAsync(keys, Next(item), cancel), cancel);
                    break;
                case RotateVerb.Settle:
                    await SettleAsync(item, cancel);
                    break;
                default:
                    throw new InvalidOperationException($"unknown step {step}");
            }
        }

        private async Task MakeNextAsync(RotationItem item, CancellationToken cancel)
        {
            foreach (var secret in Secrets(item).Where(s => Trust.NextOf(s) is null))
            {
                Trust.KeepNext(secret, item.What switch
                {
                    RotationKinds.Ca => Trust.MakeAuthority(item.Product),
                    RotationKinds.Gossip => ClusterTrust.MakeGossipKey(),
                    _ => await MakeTokenAsync(item.Product, secret[(secret.LastIndexOf('.') + 1)..], cancel),
                });
            }
        }

        private async Task<string> MakeTokenAsync(Product product, string name, CancellationToken cancel) =>
            (await AskAsync(product, at => owner.Products[product.Name].MakeTokenAsync(at, name, cancel))).Try(out var token) ? token : throw new InvalidOperationException();

        /// <summary>The order matters: an agent that dies in between finds an item that is under way and does the rest again.</summary>
        private async Task SettleAsync(RotationItem item, CancellationToken cancel)
        {
            if (item.What == RotationKinds.Tokens)
            {
                foreach (var name in item.Product.Security!.Tokens.Prepend(SecretNames.Management))
                    await AskAsync(item.Product, at => owner.Products[item.Product.Name].RevokeOldTokensAsync(at, name, cancel));
            }

            foreach (var secret in Secrets(item).Where(s => Trust.NextOf(s) is not null)) Trust.Keep(secret, Trust.NextOf(secret)!);
            owner.Context.Membership.Set(SettingNames.Rotated(item.What, item.Product.Name), owner.Wanted(item));
            foreach (var secret in Secrets(item)) Trust.DropNext(secret);
        }

        private string Next(RotationItem item) => Trust.NextOf(Secrets(item)[0])!;

        private string NextAuthority(Product product) => CredentialFiles.Split(Trust.NextOf(SecretNames.CaKey(product.Name))!)[0];

        private static AuthorityOrder Order(IReadOnlyList<string> authorities, string next) =>
            !authorities.Contains(next) ? AuthorityOrder.OldAlone
            : authorities[0] != next ? AuthorityOrder.OldSigns
            : authorities.Count > 1 ? AuthorityOrder.NextSigns
            : AuthorityOrder.NextAlone;

        private static async Task<Answer<Done>> RemoveOthersAsync(IGossipKeys keys, string next, CancellationToken cancel)
        {
            var used = await keys.UseAsync(next, s_callDeadline, cancel);
            if (!used.IsOk) return used;
            var listed = await keys.ListAsync(s_callDeadline, cancel);
            if (!listed.Try(out var seen)) return listed.Map(_ => default(Done));
            foreach (var other in seen.Others(next))
            {
                var removed = await keys.RemoveAsync(other, s_callDeadline, cancel);
                if (!removed.IsOk) return removed;
            }

            return used;
        }

        /// <summary>What gossip says; null while it cannot be told for all agents.</summary>
        private async Task<GossipKeysSeen?> GossipAsync(Product product, Action<string> say, CancellationToken cancel)
        {
            var complaint = "no server is known";
            foreach (var at in owner.ServersOf(product))
            {
                if (owner.Products[product.Name].GossipKeys(at) is not { } keys) return null;
                var listed = await keys.ListAsync(s_callDeadline, cancel);
                if (listed.Try(out var seen)) return seen;
                complaint = listed.Complaint;
            }

            say($"every {product.Title} agent to answer over gossip: {complaint}");
            return null;
        }

        private async Task GossipDoesAsync(Product product, OperationRun run, Func<IGossipKeys, Task<Answer<Done>>> act, CancellationToken cancel)
        {
            foreach (var at in owner.ServersOf(product))
            {
                if (owner.Products[product.Name].GossipKeys(at) is not { } keys) return;
                var answer = await act(keys);
                if (answer.IsOk) return;
                // An agent that has just died is counted until gossip gives it up. What the others were told holds, and the list shows it.
                run.WaitFor($"every {product.Title} agent to answer over gossip: {answer.Complaint}");
                cancel.ThrowIfCancellationRequested();
            }
        }

        private async Task<Answer<T>> AskAsync<T>(Product product, Func<Endpoint, Task<Answer<T>>> ask)
        {
            var complaint = "No server is known.";
            foreach (var at in owner.ServersOf(product))
            {
                var answer = await ask(at);
                if (answer.IsOk) return answer;
                complaint = answer.Complaint;
            }

            throw new ProblemException(RotateProblems.NoLeader(product, complaint));
        }
    }

    private NodeContext Context => context;

    private IReadOnlyDictionary<string, IProduct> Products => products;

    /// <summary>This node's own first: it is the likeliest to answer.</summary>
    private IEnumerable<Endpoint> ServersOf(Product product) =>
        KnownServer.Of(context.Membership.Current, product.Name).OrderByDescending(s => s.NodeId == context.Node.Id).ThenByDescending(s => isReachable(s.NodeId)).Select(s => context.Endpoints.Of(product, s));

    private List<string> Unread(Product product)
    {
        var digest = context.Trust.Digest(product);
        return [.. from node in context.Membership.Current?.Nodes.Values ?? []
            where !node.Removed && node.AdmittedAt is null && (node.Id == context.Node.Id || isReachable(node.Id))
            where node.Trust?.GetValueOrDefault(product.Name) != digest
            orderby node.Name
            select node.Name];
    }
}
