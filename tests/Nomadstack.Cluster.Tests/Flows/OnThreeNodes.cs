// SPDX-License-Identifier: MPL-2.0
using Xunit;

namespace Nomadstack.Cluster.Tests.Flows;

/// <summary>The scenarios that share one cluster of three.</summary>
[CollectionDefinition(Name)]
public sealed class OnThreeNodes : ICollectionFixture<ThreeNodes>
{
    public const string Name = "three nodes";
}
