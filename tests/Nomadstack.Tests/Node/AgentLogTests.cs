// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging;
using Nomadstack.Node;
using Nomadstack.Storage;
using Nomadstack.Tests.Products;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Node;

public sealed class AgentLogTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void OnADiskThatIsNearlyFullOnlyWhatMattersIsWritten()
    {
        var paths = new NodePaths(_folder.Path);
        Directory.CreateDirectory(paths.Log);
        var full = true;
        using var log = new AgentLog(paths, toStandardError: false, TimeProvider.System) { IsSparing = () => full };
        var logger = log.CreateLogger("Nomadstack.Test");

        logger.LogInformation("one");
        logger.LogWarning("two");
        full = false;
        logger.LogInformation("three");

        File.ReadAllLines(Path.Combine(paths.Log, "agent.log")).Select(line => line.Split(' ')[^1]).ShouldBe(["two", "three"]);
    }
}
