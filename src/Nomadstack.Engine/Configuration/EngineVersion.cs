// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Engine.Configuration;

/// <summary>Which Nomad this engine behaves like, and that it is not HashiCorp's.</summary>
internal static class EngineVersion
{
    public const string Number = "1.6.0";
    public const string Suffix = "nomadstack-embedded";
    public const string Text = Number + "-" + Suffix;
}
