// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Serialization;

namespace Nomadstack.Engine.Jobs;

/// <summary>Jobs as a server gives them back: nothing left out.</summary>
[JsonSerializable(typeof(Job))]
[JsonSerializable(typeof(TaskGroup))]
[JsonSerializable(typeof(JobTask))]
[JsonSerializable(typeof(IReadOnlyList<Job>))]
[JsonSourceGenerationOptions(GenerationMode = JsonSourceGenerationMode.Metadata, Converters = [typeof(NanosecondsConverter), typeof(GoTimeConverter)])]
internal sealed partial class JobJson : JsonSerializerContext;
