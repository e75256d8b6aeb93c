// SPDX-License-Identifier: MPL-2.0
using System.Collections.Concurrent;
using Nomadstack.Cluster;
using Nomadstack.Storage;

namespace Nomadstack.Programs;

/// <summary>Which program provides each product on this node, and where other versions of it are.</summary>
/// <param name="found">By product: the programs that could provide it here, the preferred one first. Once the node is a member, the cluster's engine decides.</param>
/// <param name="engineOfCluster">What provides the scheduler in this node's cluster; null while it has none.</param>
internal sealed class NodePrograms(NodePaths paths, ProductTable table, IReadOnlyDictionary<string, IReadOnlyList<ProductProgram>> found, Func<string?> engineOfCluster)
{
    private readonly ConcurrentDictionary<string, IReadOnlyList<ProductProgram>> _found = new(found);

    /// <summary>By product: another program that was found where this node would look today, and that it does not use.</summary>
    public ConcurrentDictionary<string, ProgramOffer> Offers { get; } = [];

    /// <summary>By product: why no program provides it.</summary>
    public IReadOnlyDictionary<string, string> Without { get; init; } = new Dictionary<string, string>();

    public ProductProgram? Find(Product product)
    {
        var candidates = _found.GetValueOrDefault(product.Name) ?? [];
        return product.Schedules && engineOfCluster() is { } engine ? candidates.FirstOrDefault(p => p.Kind == engine) : candidates is [var preferred, ..] ? preferred : null;
    }

    /// <summary>From now on this program provides the product here. What runs already runs on.</summary>
    public void Use(Product product, ProductProgram program)
    {
        _found[product.Name] = [program, .. (_found.GetValueOrDefault(product.Name) ?? []).Where(p => p.Kind != program.Kind)];
        Offers.TryRemove(product.Name, out _);
    }

    /// <exception cref="ProblemException"><c>engine/other</c>: the cluster's engine is one that this agent does not have, or was told not to use.</exception>
    public void RequireClusters()
    {
        if (engineOfCluster() is not { } engine || Find(table.Scheduler) is not null) return;
        throw new ProblemException(ProgramProblems.OtherEngine(engine, _found.GetValueOrDefault(table.Scheduler.Name)?.Select(p => p.Kind).FirstOrDefault()));
    }

    /// <summary>The node's own program, or the one of exactly this version.</summary>
    /// <exception cref="ProblemException"><c>engine/version-missing</c>, <c>engine/none</c>, or <c>engine/*-damaged</c>.</exception>
    public ProductProgram For(Product product, string? version)
    {
        if (Find(product) is not { } program) throw new ProblemException(ProgramProblems.None(product));
        if (version is null || version == program.Version.ToString()) return program;
        var other = Path.Combine(paths.Binaries, product.Name, version, product.Program);
        if (File.Exists(other) && ProgramSums.Complaint(other) is { } damage) throw new ProblemException(LoaderProblems.Damaged(product, other, damage));
        return program.Kind != EngineKind.Embedded && File.Exists(other) && SemVer.Parse(version) is { } parsed
            ? program with { Path = other, LeadingArguments = [], Version = parsed }
            : throw new ProblemException(ProgramProblems.VersionMissing(product, version, program, other));
    }
}
