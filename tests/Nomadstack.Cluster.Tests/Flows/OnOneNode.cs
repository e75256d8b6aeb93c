// SPDX-License-Identifier: MPL-2.0
using Xunit;

namespace Nomadstack.Cluster.Tests.Flows;

/// <summary>The scenarios that share one cluster of one node without Consul.</summary>
[CollectionDefinition(Name)]
public sealed class OnOneNode : ICollectionFixture<OneNode>
{
    public const string Name = "one node";
}
