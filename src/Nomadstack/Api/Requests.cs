// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Api;

/// <summary>Asks for a join token.</summary>
/// <param name="TimeToLiveSeconds">How long the token is valid; null for the agent's default.</param>
internal sealed record TokenRequest(double? TimeToLiveSeconds = null);

/// <summary>What <c>nomadstack version --json</c> prints.</summary>
/// <param name="Commit">The commit it was built from; empty when unknown.</param>
internal sealed record VersionDocument(string Version, string Commit, string Runtime, string Platform);
