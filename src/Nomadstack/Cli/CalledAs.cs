// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Cli;

/// <summary>A link to this program that has a product's name, such as <c>nomad</c>, means <c>nomadstack nomad</c>.</summary>
internal static class CalledAs
{
    /// <summary>.NET tells where the program is, the kernel tells by which name it was called.</summary>
    public static IReadOnlyList<string> Arguments(string[] args) => Arguments(File.ReadAllText("/proc/self/cmdline").Split('\0')[0], args);

    internal static IReadOnlyList<string> Arguments(string calledAs, string[] args) =>
        ProgramCommand.IsProduct(Path.GetFileName(calledAs)) ? [Path.GetFileName(calledAs), .. args] : args;
}
