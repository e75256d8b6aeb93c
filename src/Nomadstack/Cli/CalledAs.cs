// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Cli;

/// <summary>A link with the name of a product, such as <c>nomad</c>, that leads to this program means <c>nomadstack nomad</c>.</summary>
internal static class CalledAs
{
    /// <summary>.NET tells where the program is, not by which name it was called; the kernel does.</summary>
    public static IReadOnlyList<string> Arguments(string[] args) => Arguments(File.ReadAllText("/proc/self/cmdline").Split('\0')[0], args);

    internal static IReadOnlyList<string> Arguments(string calledAs, string[] args) =>
        ProgramCommand.IsProduct(Path.GetFileName(calledAs)) ? [Path.GetFileName(calledAs), .. args] : args;
}
