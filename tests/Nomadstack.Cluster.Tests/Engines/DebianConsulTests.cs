// SPDX-License-Identifier: MPL-2.0
using Shouldly;
using Xunit;

namespace Nomadstack.Cluster.Tests.Engines;

public sealed class DebianConsulTests
{
    [Theory]
    [InlineData("sources.list", "# c\ndeb http://mirror.example/debian-security bookworm-security main\ndeb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian bookworm main contrib\n", "deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian bullseye main\n")]
    [InlineData("sources.list", "deb http://mirror.example/debian/ trixie main\n", "deb http://mirror.example/debian/ bullseye main\n")]
    [InlineData("sources.list.d/debian.sources", "Types: deb\n# note\nURIs: http://mirror.example/debian\nSuites: bookworm bookworm-updates\nComponents: main\nSigned-By: /k.gpg\n\nTypes: deb\nURIs: http://mirror.example/debian-security\nSuites: bookworm-security\nComponents: main\n", "deb [signed-by=/k.gpg] http://mirror.example/debian bullseye main\n")]
    [InlineData("sources.list", "deb http://mirror.example/ubuntu noble main\n", null)]
    public void SourcesAreTheMachinesOwnWithAnotherSuite(string file, string text, string? expected)
    {
        var etc = Directory.CreateTempSubdirectory();
        try
        {
            Directory.CreateDirectory(Path.Combine(etc.FullName, "sources.list.d"));
            File.WriteAllText(Path.Combine(etc.FullName, file), text);

            DebianConsul.Sources(etc.FullName).ShouldBe(expected);
        }
        finally
        {
            etc.Delete(recursive: true);
        }
    }

    [SkippableFact]
    public async Task TheFetchedProgramIsConsul()
    {
        var (program, whyNot) = await DebianConsul.FetchAsync();
        Skip.If(program is null, whyNot);

        (await Machines.Command.MustAsync(program!, "version")).ShouldStartWith("Consul v1.8");
    }
}
