// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Api;

/// <summary>Asks for a join token.</summary>
/// <param name="TimeToLiveSeconds">How long it may be used; null for the agent's default.</param>
/// <param name="Uses">How many nodes it lets in; null for any number.</param>
internal sealed record TokenRequest(double? TimeToLiveSeconds = null, int? Uses = null);

/// <param name="File">The program's absolute path; null for the one that is offered.</param>
internal sealed record ProgramRequest(string? File = null);

/// <summary>What <c>nomadstack version --json</c> prints.</summary>
/// <param name="Commit">The commit it was built from; empty when unknown.</param>
internal sealed record VersionDocument(string Version, string Commit, string Runtime, string Platform);
