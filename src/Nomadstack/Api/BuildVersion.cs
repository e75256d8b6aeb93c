// SPDX-License-Identifier: MPL-2.0
using System.Reflection;
using System.Runtime.InteropServices;

namespace Nomadstack.Api;

/// <summary>The version of this binary: one text for <c>version</c>, the status document and the peers.</summary>
internal static class BuildVersion
{
    private static readonly string s_informational =
        typeof(BuildVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0.0.0";

    /// <summary>Such as <c>0.2.0</c>, or <c>0.2.0-dev</c> before its release.</summary>
    public static string Text => s_informational.Split('+')[0];

    public static VersionDocument Document() => new(
        Text,
        s_informational.Contains('+', StringComparison.Ordinal) ? s_informational.Split('+')[1] : "",
        RuntimeInformation.FrameworkDescription,
        RuntimeInformation.RuntimeIdentifier);
}
