// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;

namespace Nomadstack.Programs;

/// <summary>A program that provides a product on this node, with the version that it reported.</summary>
/// <param name="Kind">The product's name for its own program, <see cref="EngineKind.Embedded"/> for ours.</param>
/// <param name="Path">Absolute.</param>
/// <param name="LeadingArguments">What comes before the product's own arguments: <c>engine</c> for the embedded engine, nothing otherwise.</param>
internal sealed record ProductProgram(string Kind, string Path, IReadOnlyList<string> LeadingArguments, SemVer Version)
{
    /// <summary>The whole argument list for the product's arguments.</summary>
    public IReadOnlyList<string> Arguments(params string[] own) => [.. LeadingArguments, .. own];

    /// <summary>Why it is this one: a few words to print after its name.</summary>
    public string Why { get; init; } = "";
}

/// <summary>What provides a product if not the product's own program.</summary>
internal static class EngineKind
{
    public const string Embedded = "embedded", None = "none";
}

/// <summary>Either a program or what is wrong with it.</summary>
internal abstract record ProgramFinding
{
    private ProgramFinding()
    {
    }

    internal sealed record Found(ProductProgram Program) : ProgramFinding;

    /// <summary>No such program anywhere. Only in this case may another engine be used instead.</summary>
    internal sealed record Missing(Problem Problem) : ProgramFinding;

    /// <summary>There is a program, but it cannot be used. This is always reported.</summary>
    internal sealed record Unusable(Problem Problem) : ProgramFinding;

    /// <exception cref="ProblemException">Nothing usable was found.</exception>
    public ProductProgram OrThrow() => this switch
    {
        Found found => found.Program,
        Missing missing => throw new ProblemException(missing.Problem),
        Unusable unusable => throw new ProblemException(unusable.Problem),
        _ => throw new InvalidOperationException($"unknown finding {this}"),
    };
}
