// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Serialization;
using Nomadstack.Engine.Scheduling;

namespace Nomadstack.Engine.Http;

[JsonSerializable(typeof(DesiredUpdates))]
internal sealed partial class PlanJson : JsonSerializerContext;
