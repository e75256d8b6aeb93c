// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Operations;
using Nomadstack.Peers;

namespace Nomadstack.Securing;

/// <summary>What the closing of a running cluster depends on.</summary>
/// <param name="Phase">One of the phases in <see cref="SettingNames"/>.</param>
/// <param name="WasPreparing">This operation had begun, so a plain cluster means that somebody undid it.</param>
/// <param name="Released">Nodes with an agent of release 0.1.0, which could not follow.</param>
/// <param name="Away">Nodes that cannot be reached.</param>
/// <param name="Unread">Nodes that can be reached and do not have their certificates.</param>
/// <param name="Open">Nodes that can be reached and whose agents are not closed yet.</param>
/// <param name="Uninitialised">Titles of products whose access control does not know our tokens.</param>
/// <param name="Lacks">Why the cluster is not healthy; null when it is.</param>
internal sealed record SecureFacts(string Phase, bool WasPreparing, IReadOnlyList<string> Released, IReadOnlyList<string> Away, IReadOnlyList<string> Unread, IReadOnlyList<string> Open, IReadOnlyList<string> Uninitialised, string? Lacks);

internal enum SecureStep
{
    /// <summary>Make what a closed cluster needs.</summary>
    Prepare,

    /// <summary>Wait for every node, for its certificates, and for a cluster that can lose its servers for a moment.</summary>
    AwaitNodes,

    /// <summary>From here on there is only forward.</summary>
    Close,

    /// <summary>Every node's agents start again closed; leaders initialise access control.</summary>
    AwaitAgents,

    Settle,
    AwaitHealth,
}

internal static class SecureDecision
{
    /// <summary>Pure and total.</summary>
    public static Next<SecureStep> Next(SecureFacts facts) => facts switch
    {
        { Phase: SettingNames.Plain, WasPreparing: true } => new Next<SecureStep>.Refused(SecureProblems.Undone()),
        { Phase: SettingNames.Plain or SettingNames.Preparing, Released: [_, ..] old } => new Next<SecureStep>.Refused(SecureProblems.OldRelease(old)),
        { Phase: SettingNames.Plain } => Step(SecureStep.Prepare, "make CAs, keys and tokens"),
        { Phase: SettingNames.Preparing } when facts.Away.Count + facts.Unread.Count > 0 || facts.Lacks is not null => Step(SecureStep.AwaitNodes, "every node gets its certificates"),
        { Phase: SettingNames.Preparing } => Step(SecureStep.Close, "close the cluster"),
        { Phase: SettingNames.Closing } when facts.Open.Count + facts.Uninitialised.Count > 0 => Step(SecureStep.AwaitAgents, "every agent starts again closed"),
        { Phase: SettingNames.Closing } => Step(SecureStep.Settle, "settle"),
        { Lacks: not null } => Step(SecureStep.AwaitHealth, "wait until the cluster is healthy"),
        _ => new Next<SecureStep>.Done(),
    };

    /// <summary>What is waited for, in words; empty for nothing.</summary>
    public static string WaitsFor(SecureFacts facts) => facts switch
    {
        { Phase: SettingNames.Preparing, Away: [_, ..] away } => $"{string.Join(", ", away)} to come back; start the agents there, or remove the nodes",
        { Phase: SettingNames.Preparing, Unread: [_, ..] unread } => $"{string.Join(", ", unread)} to have certificates",
        { Phase: SettingNames.Closing, Uninitialised: [_, ..] products } => $"{string.Join(" and ", products)} to accept our first tokens",
        { Phase: SettingNames.Closing, Open: [_, ..] open } => $"the agents of {string.Join(", ", open)} to start again",
        _ => facts.Lacks ?? "",
    };

    private static Next<SecureStep>.Step Step(SecureStep step, string words) => new(step, words);
}
