// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging;
using Nomadstack.Cluster;
using Nomadstack.Operations;
using Nomadstack.Peers;
using Nomadstack.Products;
using Nomadstack.Security;

namespace Nomadstack.Securing;

/// <summary>
/// <c>nomadstack secure</c>: closes a cluster that was open, while it runs. The phase is a setting, and each node does its part when it sees a new one. Reversible until the cluster is closing.
/// </summary>
/// <param name="isReachable">Whether this node reaches the agent of another node, by node id.</param>
/// <param name="lacks">Why the cluster is not healthy; null when it is.</param>
internal sealed class SecureOperation(NodeContext context, IReadOnlyDictionary<string, IProduct> products, Func<string, bool> isReachable, Func<CancellationToken, Task<string?>> lacks)
{
    public const string Kind = "secure";

    /// <exception cref="ProblemException"><c>secure/*</c>.</exception>
    public void CheckBegin()
    {
        if (context.Membership.Signer is not { IsServer: true }) throw new ProblemException(SecureProblems.NotHere());
        if (Released is [_, ..] old) throw new ProblemException(SecureProblems.OldRelease(old));
    }

    /// <summary>Ends the preparation; the cluster stays open.</summary>
    /// <exception cref="ProblemException"><c>secure/too-late</c>.</exception>
    public void Undo()
    {
        if (context.Trust.IsSecure) throw new ProblemException(SecureProblems.TooLate());
        if (context.Trust.Phase == SettingNames.Preparing) context.Trust.Enter(SettingNames.Plain);
    }

    public Task FollowAsync(OperationRun run, CancellationToken cancel) => new Following(this).RunAsync(run, cancel);

    public IReadOnlyList<string> Away => [.. context.Membership.Others.Where(n => !isReachable(n.Id)).Select(n => n.Name).Order(StringComparer.Ordinal)];

    private IReadOnlyList<string> Released => [.. Members.Where(n => n.IsReleased).Select(n => n.Name).Order(StringComparer.Ordinal)];

    private IEnumerable<NodeEntry> Members => context.Membership.Current?.Nodes.Values.Where(n => !n.Removed) ?? [];

    private IEnumerable<NodeEntry> Reachable => Members.Where(n => n.Id == context.Node.Id || isReachable(n.Id)).OrderBy(n => n.Name, StringComparer.Ordinal);

    private NodeContext Context => context;

    private IReadOnlyDictionary<string, IProduct> Products => products;

    private sealed class Following(SecureOperation owner) : Flow<SecureFacts, SecureStep>(owner.Context.Time, owner.Context.Logs.CreateLogger<SecureOperation>())
    {
        private bool _wasPreparing;

        protected override TimeSpan Poll { get; } = TimeSpan.FromMilliseconds(100);

        protected override bool IsPastTheCommitPoint => Trust.IsSecure;

        private ClusterTrust Trust => owner.Context.Trust;

        protected override async Task<SecureFacts> ObserveAsync(Action<string> say, CancellationToken cancel)
        {
            var phase = Trust.Phase;
            var closing = phase == SettingNames.Closing;
            _wasPreparing |= phase == SettingNames.Preparing;
            List<string> uninitialised = [];
            foreach (var product in closing ? owner.Context.Products.Where(Trust.Closes) : [])
            {
                if (!await owner.Products[product.Name].IsClosedAnywhereAsync(owner.Context, cancel)) uninitialised.Add(product.Title);
            }

            var facts = new SecureFacts(
                phase,
                _wasPreparing,
                owner.Released,
                owner.Away,
                // A client node gets its certificates with its tokens, which nobody can make before access control is initialised.
                [.. owner.Reachable.Where(n => n.IsServer && owner.Context.Products.Any(p => p.Security is not null && n.Trust?.GetValueOrDefault(p.Name) != Trust.Digest(p))).Select(n => n.Name)],
                [.. owner.Reachable.Where(n => n.Trust?.GetValueOrDefault(ClusterTrust.AgentsPhaseKey) != SettingNames.Secure).Select(n => n.Name)],
                uninitialised,
                closing ? null : await owner.LacksAsync(cancel));
            say(SecureDecision.WaitsFor(facts));
            return facts;
        }

        protected override Next<SecureStep> Decide(SecureFacts facts) => SecureDecision.Next(facts);

        protected override Task ActAsync(SecureStep step, OperationRun run, CancellationToken cancel) => step switch
        {
            SecureStep.Prepare => EffectAsync("secure-prepare", Trust.Prepare),
            SecureStep.Close => EffectAsync("secure-close", () => Trust.Enter(SettingNames.Closing)),
            SecureStep.Settle => EffectAsync("secure-settle", () => Trust.Enter(SettingNames.Secure)),
            _ => Task.CompletedTask,
        };

        protected override Task UndoAsync(OperationRun run, CancellationToken cancel) => EffectAsync("secure-undo", owner.Undo);

        protected override Problem Undone => SecureProblems.Undone();

        private static Task EffectAsync(string point, Action act) => Fault.AroundAsync(point, () =>
        {
            act();
            return Task.CompletedTask;
        });
    }

    private Task<string?> LacksAsync(CancellationToken cancel) => lacks(cancel);
}
