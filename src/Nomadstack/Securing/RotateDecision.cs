// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Operations;
using Nomadstack.Security;

namespace Nomadstack.Securing;

/// <summary>One thing of one product that is replaced.</summary>
/// <param name="What">One of <see cref="RotationKinds"/>.</param>
internal sealed record RotationItem(string What, Product Product)
{
    public override string ToString() => What switch
    {
        RotationKinds.Certs => $"{Product.Title}: certificates",
        RotationKinds.Ca => $"{Product.Title}: CA",
        RotationKinds.Gossip => $"{Product.Title}: gossip key",
        _ => $"{Product.Title}: {What}",
    };
}

/// <summary>Which authorities count for a product.</summary>
internal enum AuthorityOrder
{
    /// <summary>The next one does not count yet.</summary>
    OldAlone,

    /// <summary>The next one counts, and the old one signs.</summary>
    OldSigns,

    /// <summary>The old one counts, and the next one signs.</summary>
    NextSigns,

    NextAlone,
}

/// <summary>What an item's replacement depends on. Nothing is a position: all of it is in the cluster's settings and secrets, or in the products.</summary>
/// <param name="Unread">Nodes that can be reached and whose agents have not read what counts now.</param>
/// <param name="HasNext">What takes the old one's place was made. For tokens, all of them.</param>
/// <param name="NextCounts">It has taken the old one's place. For tokens, all of them.</param>
/// <param name="Order">For authorities.</param>
/// <param name="AllHaveNext">For gossip keys: every agent can decrypt with the next one. Null while that cannot be told.</param>
/// <param name="OthersLeft">For gossip keys: an agent still has another one.</param>
internal sealed record RotationFacts(RotationItem Item, IReadOnlyList<string> Unread, bool HasNext, bool NextCounts, AuthorityOrder Order, bool? AllHaveNext, bool OthersLeft);

internal enum RotateVerb
{
    /// <summary>Wait until the nodes have read what counts.</summary>
    AwaitNodes,

    /// <summary>Wait until gossip answers for all its agents.</summary>
    AwaitGossip,

    MakeNext,

    /// <summary>Both authorities count, and the old one signs.</summary>
    TrustNext,

    /// <summary>Both authorities count, and the next one signs.</summary>
    SignWithNext,

    TrustNextAlone,
    InstallNext,

    /// <summary>The next one takes the old one's place.</summary>
    ChooseNext,

    RemoveOthers,

    /// <summary>Forget what was replaced, and say that it is done.</summary>
    Settle,
}

internal sealed record RotateStep(RotationItem Item, RotateVerb Verb);

internal static class RotateDecision
{
    /// <summary>Pure and total.</summary>
    /// <param name="facts">Of the first item that is not done; null when all are.</param>
    public static Next<RotateStep> Next(RotationFacts? facts)
    {
        if (facts is null) return new Next<RotateStep>.Done();
        var verb = facts.Item.What switch
        {
            RotationKinds.Certs => facts.Unread.Count > 0 ? RotateVerb.AwaitNodes : RotateVerb.Settle,
            RotationKinds.Ca => OfAuthority(facts),
            RotationKinds.Gossip => OfGossip(facts),
            _ => OfTokens(facts),
        };
        return new Next<RotateStep>.Step(new(facts.Item, verb), $"{facts.Item}: {Words(verb)}");
    }

    private static RotateVerb OfAuthority(RotationFacts facts) => facts switch
    {
        { HasNext: false } => RotateVerb.MakeNext,
        { Order: AuthorityOrder.OldAlone } => RotateVerb.TrustNext,
        // A node that has not read the last change would refuse what the next one brings.
        { Unread.Count: > 0 } => RotateVerb.AwaitNodes,
        { Order: AuthorityOrder.OldSigns } => RotateVerb.SignWithNext,
        { Order: AuthorityOrder.NextSigns } => RotateVerb.TrustNextAlone,
        _ => RotateVerb.Settle,
    };

    private static RotateVerb OfGossip(RotationFacts facts) => facts switch
    {
        { HasNext: false } => RotateVerb.MakeNext,
        { AllHaveNext: null } => RotateVerb.AwaitGossip,
        { AllHaveNext: false } => RotateVerb.InstallNext,
        // Before any agent encrypts with it: one that starts now needs it in its file.
        { NextCounts: false } => RotateVerb.ChooseNext,
        { Unread.Count: > 0 } => RotateVerb.AwaitNodes,
        { OthersLeft: true } => RotateVerb.RemoveOthers,
        _ => RotateVerb.Settle,
    };

    private static RotateVerb OfTokens(RotationFacts facts) => facts switch
    {
        { HasNext: false } => RotateVerb.MakeNext,
        { NextCounts: false } => RotateVerb.ChooseNext,
        { Unread.Count: > 0 } => RotateVerb.AwaitNodes,
        _ => RotateVerb.Settle,
    };

    private static string Words(RotateVerb verb) => verb switch
    {
        RotateVerb.AwaitNodes => "every node reads what is new",
        RotateVerb.AwaitGossip => "every agent answers over gossip",
        RotateVerb.MakeNext => "make the new one",
        RotateVerb.TrustNext => "trust the new CA beside the old one",
        RotateVerb.SignWithNext => "sign with the new CA",
        RotateVerb.TrustNextAlone => "trust the new CA alone",
        RotateVerb.InstallNext => "every agent learns the new key",
        RotateVerb.ChooseNext => "use the new one",
        RotateVerb.RemoveOthers => "every agent forgets the old key",
        _ => "forget the old one",
    };
}

/// <summary>What people and programs notice of a rotation.</summary>
internal static class RotationEffects
{
    /// <param name="scheduler">The product whose client shows itself to a catalog.</param>
    public static IEnumerable<string> Effects(this Product scheduler, RotationItem item)
    {
        if (item.Product.IsCatalog && item.What is not RotationKinds.Gossip)
            yield return $"{scheduler.Title}'s client is started again on every node, for it reads what it shows to {item.Product.Title} only then; its tasks run on";
        if (item.What == RotationKinds.Ca)
            yield return $"certificates of people for {item.Product.Title} are no longer accepted; make them anew with `nomadstack credentials create`";
        if (item.What == RotationKinds.Tokens)
            yield return $"shells that have {item.Product.Title}'s token from `nomadstack env` need it anew";
    }
}
