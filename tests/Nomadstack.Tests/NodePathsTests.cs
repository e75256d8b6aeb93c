// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Storage;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests;

public sealed class NodePathsTests
{
    [Fact]
    public void TwoDataFoldersHaveTwoRunFolders() => new NodePaths("/tmp/a").Run.ShouldNotBe(new NodePaths("/tmp/b").Run);
}
