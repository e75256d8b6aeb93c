// SPDX-License-Identifier: MPL-2.0
using Xunit;

namespace Nomadstack.Cluster.Tests.Flows;

/// <summary>Scenarios that measure: nothing runs beside them.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class Timed
{
    public const string Name = "timed";
}
