// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Serialization;
using Nomadstack.Engine.Jobs;

namespace Nomadstack.Engine.State;

/// <summary>The state's records in the log, in snapshots and in answers: what is null is left out.</summary>
/// <remarks>
/// The generated readers set every property, to its type's zero where the JSON says nothing. We write every text, so ours come back as they were;
/// what others send goes through <see cref="JobReader"/> or is completed first.
/// </remarks>
[JsonSerializable(typeof(Command))]
[JsonSerializable(typeof(StoredState))]
[JsonSerializable(typeof(Node))]
[JsonSerializable(typeof(Allocation))]
[JsonSerializable(typeof(Evaluation))]
[JsonSerializable(typeof(Deployment))]
[JsonSerializable(typeof(JobSummary))]
[JsonSerializable(typeof(AclToken))]
[JsonSerializable(typeof(AclPolicy))]
[JsonSerializable(typeof(IReadOnlyList<ClientUpdate>))]
[JsonSerializable(typeof(IReadOnlyList<Allocation>))]
[JsonSerializable(typeof(IReadOnlyList<Evaluation>))]
[JsonSerializable(typeof(IReadOnlyList<Deployment>))]
[JsonSourceGenerationOptions(GenerationMode = JsonSourceGenerationMode.Metadata, Converters = [typeof(NanosecondsConverter), typeof(GoTimeConverter)], DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
internal sealed partial class StateJson : JsonSerializerContext;
