// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Engine.Jobs.Hcl;

/// <summary>The text is no HCL, or HCL that this engine does not evaluate. Never leaves this folder's callers.</summary>
internal sealed class HclSyntaxException(HclRange range, string summary, string detail) : Exception($"{summary}; {detail}")
{
    public HclRange Range { get; } = range;
}
