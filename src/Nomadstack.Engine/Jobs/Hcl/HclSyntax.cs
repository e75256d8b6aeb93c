// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Engine.Jobs.Hcl;

/// <summary>A stretch of the source; lines and columns count from 1, the end is exclusive.</summary>
internal readonly record struct HclRange(int Line, int Column, int EndLine, int EndColumn)
{
    public override string ToString() => EndLine == Line ? $"{Line},{Column}-{EndColumn}" : $"{Line},{Column}-{EndLine},{EndColumn}";
}

internal sealed record HclBody(IReadOnlyList<HclAttribute> Attributes, IReadOnlyList<HclBlock> Blocks);

internal sealed record HclAttribute(string Name, HclExpression Value, HclRange NameRange);

internal sealed record HclLabel(string Text, HclRange Range);

/// <param name="Header">From the type to the last label.</param>
internal sealed record HclBlock(string Type, IReadOnlyList<HclLabel> Labels, HclBody Body, HclRange Header);

internal abstract record HclExpression(HclRange Range);

/// <param name="Value">A <see cref="string"/>, <see cref="decimal"/>, <see cref="bool"/> or null.</param>
internal sealed record HclLiteral(object? Value, HclRange Range) : HclExpression(Range);

/// <summary>Something that only a client can fill in, such as <c>node.class</c> or <c>NOMAD_PORT_http</c>.</summary>
/// <param name="Root">The first name.</param>
/// <param name="Kept">As it goes into the job: the text of the source, with its <c>${…}</c>.</param>
internal sealed record HclReference(string Root, string Kept, HclRange Range) : HclExpression(Range);

/// <summary>A text with interpolations.</summary>
internal sealed record HclTemplate(IReadOnlyList<HclExpression> Parts, HclRange Range) : HclExpression(Range);

internal sealed record HclTuple(IReadOnlyList<HclExpression> Items, HclRange Range) : HclExpression(Range);

internal sealed record HclObject(IReadOnlyList<(HclExpression Key, HclExpression Value)> Items, HclRange Range) : HclExpression(Range);
