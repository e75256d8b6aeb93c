// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;

namespace Nomadstack.Engine.Jobs;

internal enum FieldKind
{
    Text,
    Number,
    Flag,

    /// <summary>Nanoseconds in JSON, a Go duration in HCL.</summary>
    Duration,
    Texts,

    /// <summary>Text by text: a block or an attribute in HCL.</summary>
    Map,

    /// <summary>A driver's own configuration: kept as it is, for the driver to judge.</summary>
    Config,
    Block,
    Blocks,

    /// <summary>Port blocks; <c>static</c> tells the two lists of the JSON apart.</summary>
    Ports,

    /// <summary>Blocks with the shorthand of constraints, such as <c>regexp = "…"</c>.</summary>
    Constraints,

    /// <summary>Set by servers, and taken over from JSON as it is.</summary>
    Server,

    /// <summary>Of any kind: somebody else looks at it, or nobody needs to.</summary>
    Any,

    /// <summary>Nomad has it, this engine does not: only a value that asks for nothing passes.</summary>
    Refused,
}

/// <summary>One field of a job: its names in JSON and HCL, and what it holds.</summary>
/// <param name="Hcl">Null where the field cannot be written in HCL.</param>
/// <param name="Nullable">Null when absent; otherwise Go's zero value of the kind.</param>
internal sealed record JobField(string Json, string? Hcl, FieldKind Kind, bool Nullable = false, JobBlock? Of = null)
{
    /// <summary>Nomad 1.1 does not have it: written only where it is given.</summary>
    public bool Newer { get; init; }

    /// <summary>For a refused field: the kind whose zero value stands where it is absent; null for none.</summary>
    public FieldKind? Zero { get; init; }

    /// <summary>For a refused field: values that ask for nothing beside Go's zero values.</summary>
    public IReadOnlyList<string> Harmless { get; init; } = [];

    /// <summary>For a refused block: clients send it also where the job file has none. Any other block asks for something by being there.</summary>
    public bool FilledIn { get; init; }

    public JsonNode? WhenAbsent() => (Zero ?? Kind) switch
    {
        _ when Nullable => null,
        FieldKind.Text => "",
        FieldKind.Number or FieldKind.Duration => 0L,
        FieldKind.Flag => false,
        _ => null,
    };
}

/// <summary>The fields of one kind of block.</summary>
/// <param name="Label">The JSON name that the block's label fills, or null when it takes none.</param>
internal sealed record JobBlock(string Name, string? Label, IReadOnlyList<JobField> Fields)
{
    private readonly Dictionary<string, JobField> _byHcl = Fields.Where(f => f.Hcl is not null).ToDictionary(f => f.Hcl!, StringComparer.Ordinal);

    // As Go's decoder, which takes a name in any case.
    private readonly Dictionary<string, JobField> _byJson = Fields.ToDictionary(f => f.Json, StringComparer.OrdinalIgnoreCase);

    public JobField? ByHcl(string name) => _byHcl.GetValueOrDefault(name);

    public JobField? ByJson(string name) => _byJson.GetValueOrDefault(name);
}
