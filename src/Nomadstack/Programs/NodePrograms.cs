// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Storage;

namespace Nomadstack.Programs;

/// <summary>Which program provides each product on this node, and where other versions of it lie.</summary>
/// <param name="nomad">What could provide Nomad here, the preferred first. Once the node is a member, the cluster's engine decides.</param>
internal sealed class NodePrograms(NodePaths paths, IReadOnlyList<ProductProgram> nomad, ProductProgram? consul, Func<string?> engineOfCluster)
{
    /// <summary>Why there is no Consul, where there is none.</summary>
    public string WithoutConsul { get; init; } = "";

    public ProductProgram? Find(string product)
    {
        if (product != Role.Nomad) return consul;
        return engineOfCluster() is { } engine ? nomad.FirstOrDefault(p => p.Kind == engine) : nomad is [var preferred, ..] ? preferred : null;
    }

    /// <exception cref="ProblemException"><c>engine/other</c>: the cluster has an engine that this agent was told not to use, or does not have.</exception>
    public void RequireClusters()
    {
        if (engineOfCluster() is not { } engine || Find(Role.Nomad) is not null) return;
        throw new ProblemException(new("engine/other", $"This cluster's engine is {engine}, and this agent would drive {nomad.Select(p => p.Kind).FirstOrDefault() ?? "none"}.", "An engine can neither read nor speak another one's raft.", engine == EngineKind.Nomad ? "Put a nomad program on the PATH, or name one with --nomad-program, and leave --engine away." : "Leave --engine and --nomad-program away: the agent takes the cluster's engine.") { Unsafe = true });
    }

    /// <summary>The node's own program, or the one of exactly this version.</summary>
    /// <exception cref="ProblemException"><c>engine/version-missing</c> or <c>engine/none</c>.</exception>
    public ProductProgram For(string product, string? version)
    {
        if (Find(product) is not { } program)
            throw new ProblemException(new("engine/none", $"This node has no {product} program.", "None was found on the PATH when the agent started.", $"Install {product} and start the agent again."));
        if (version is null || version == program.Version.ToString()) return program;
        var other = Path.Combine(paths.Binaries, product, version, product);
        if (program.Kind != EngineKind.Embedded && File.Exists(other) && SemVer.Parse(version) is { } parsed) return program with { Path = other, LeadingArguments = [], Version = parsed };
        throw new ProblemException(new("engine/version-missing", $"The job asks for {product} {version}, which is not on this node.", $"The node has {program.Version} ({program.Path}), and {other} does not exist.", $"Run `nomadstack fetch {product}@{version}` on this node, or leave `version` out of the task's config."));
    }
}
