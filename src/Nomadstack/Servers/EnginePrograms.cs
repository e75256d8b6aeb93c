// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Engines;
using Nomadstack.Storage;

namespace Nomadstack.Servers;

/// <summary>Which program provides each product on this node, and where other versions of it lie.</summary>
internal sealed class EnginePrograms(NodePaths paths, IReadOnlyDictionary<string, EngineProgram> chosen)
{
    public EngineProgram? Find(string product) => chosen.GetValueOrDefault(product);

    /// <summary>The node's own program, or the one of exactly this version.</summary>
    /// <exception cref="ProblemException"><c>engine/version-missing</c> or <c>engine/none</c>.</exception>
    public EngineProgram For(string product, string? version)
    {
        if (chosen.GetValueOrDefault(product) is not { } program)
            throw new ProblemException(new("engine/none", $"This node has no {product} program.", "None was found on the PATH when the agent started.", $"Install {product} and start the agent again."));
        if (version is null || version == program.Version.ToString()) return program;
        var other = Path.Combine(paths.Binaries, product, version, product);
        if (File.Exists(other) && SemVer.Parse(version) is { } parsed) return program with { Path = other, LeadingArguments = [], Version = parsed };
        throw new ProblemException(new("engine/version-missing", $"The job asks for {product} {version}, which is not on this node.", $"The node has {program.Version} ({program.Path}), and {other} does not exist.", $"Run `nomadstack fetch {product}@{version}` on this node, or leave `version` out of the task's config."));
    }
}
