// SPDX-License-Identifier: MPL-2.0
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Nomadstack.Cluster;

namespace Nomadstack.Api;

/// <summary>Every record that is sent over the agent's socket. <c>--json</c> uses the same names.</summary>
[JsonSourceGenerationOptions(GenerationMode = JsonSourceGenerationMode.Metadata, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UnmappedMemberHandling = JsonUnmappedMemberHandling.Skip)]
[JsonSerializable(typeof(StatusDocument))]
[JsonSerializable(typeof(string))]
[JsonSerializable(typeof(Operation))]
[JsonSerializable(typeof(IReadOnlyList<Operation>), TypeInfoPropertyName = "Operations")]
[JsonSerializable(typeof(IReadOnlyList<MemberStatus>), TypeInfoPropertyName = "Members")]
[JsonSerializable(typeof(BootstrapRequest))]
[JsonSerializable(typeof(DrainRequest))]
[JsonSerializable(typeof(TokenRequest))]
[JsonSerializable(typeof(TokenCreated))]
[JsonSerializable(typeof(IReadOnlyList<TokenStatus>), TypeInfoPropertyName = "Tokens")]
[JsonSerializable(typeof(Endpoints))]
[JsonSerializable(typeof(CredentialsRequest))]
[JsonSerializable(typeof(CredentialsMade))]
[JsonSerializable(typeof(RotateRequest))]
[JsonSerializable(typeof(AddressRequest))]
[JsonSerializable(typeof(RestoreRequest))]
[JsonSerializable(typeof(RecoverRequest))]
[JsonSerializable(typeof(RecoverPlan))]
[JsonSerializable(typeof(AcceptPlan))]
[JsonSerializable(typeof(AcceptRequest))]
[JsonSerializable(typeof(SecureRequest))]
[JsonSerializable(typeof(RotatePlan))]
[JsonSerializable(typeof(ProgramRequest))]
[JsonSerializable(typeof(ProgramUsed))]
[JsonSerializable(typeof(DrillRequest))]
[JsonSerializable(typeof(DrillReport))]
[JsonSerializable(typeof(VersionDocument))]
[JsonSerializable(typeof(SnapshotInfo))]
[JsonSerializable(typeof(SnapshotRequest))]
[JsonSerializable(typeof(PruneRequest))]
[JsonSerializable(typeof(PruneResult))]
[JsonSerializable(typeof(RestorePlan))]
[JsonSerializable(typeof(RecoveryKeyShown))]
[JsonSerializable(typeof(SnapshotPolicyRequest))]
[JsonSerializable(typeof(SnapshotPolicyStatus))]
[JsonSerializable(typeof(KitRequest))]
[JsonSerializable(typeof(KitMade))]
[JsonSerializable(typeof(IReadOnlyList<SnapshotInfo>), TypeInfoPropertyName = "Snapshots")]
[JsonSerializable(typeof(Problem))]
internal sealed partial class ApiJson : JsonSerializerContext
{
    /// <summary>The same documents, indented and with readable quotes and dashes, for people who read <c>--json</c>.</summary>
    public static ApiJson Readable { get; } = new(new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });
}
