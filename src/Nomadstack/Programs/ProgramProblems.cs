// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;

namespace Nomadstack.Programs;

/// <summary>What can be wrong with a product's program, in words for an operator.</summary>
internal static class ProgramProblems
{
    public static Problem NoneFound(Product product) => new(
        $"engine/{product.Name}-missing",
        $"No {product.Program} program was found.",
        "No option names one, no folder of the PATH has one, and none was fetched.",
        $"Run `nomadstack fetch {product.Name}`, install {product.Title}, or name its program with --{product.Name}-program.");

    public static Problem NotThere(Product product, string program) => new(
        $"engine/{product.Name}-missing",
        $"There is no program {program}.",
        "The file does not exist, or a folder on its path cannot be read.",
        $"Give the path of a {product.Program} program that exists.");

    public static Problem NotExecutable(Product product, string program, string why) => new(
        $"engine/{product.Name}-not-executable",
        $"{program} cannot be run.",
        why,
        "Make it executable (chmod +x). Check that it is built for this machine and that its file system is not mounted noexec.");

    public static Problem Hangs(Product product, string program, TimeSpan limit) => new(
        $"engine/{product.Name}-hangs",
        $"{program} does not answer.",
        $"`{program} version` did not end within {limit.TotalSeconds:0.#} s.",
        $"Run it by hand to see why, or name another {product.Program} program.");

    public static Problem AnotherProgram(Product product, string program, string line) => new(
        $"engine/not-{product.Name}",
        $"{program} is not {product.Title}.",
        $"`{program} version` printed {(line.Length == 0 ? "nothing" : $"\"{(line.Length > 80 ? line[..80] + "…" : line)}\"")}.",
        $"Name the {product.Program} program itself.");

    public static Problem TooOld(Product product, string program, SemVer version) => new(
        $"engine/{product.Name}-too-old",
        $"{program} is {product.Title} {version}, which is too old.",
        $"This stack needs {product.Title} {product.Oldest!.Major}.{product.Oldest.Minor}.",
        $"Install {product.Title} {product.Oldest.Major}.{product.Oldest.Minor} or newer.");

    public static Problem OtherEngine(string ofCluster, string? here) => new(
        "engine/other",
        $"This cluster's engine is {ofCluster}. This agent would run {here ?? "none"}.",
        "An engine cannot read another engine's raft data.",
        ofCluster == EngineKind.Embedded
            ? "Start the agent without --engine and without an option that names a program. It then uses the cluster's engine."
            : $"Put a {ofCluster} program on the PATH, or name one with --{ofCluster}-program, and start the agent without --engine.")
    { Unsafe = true };

    public static Problem TwoEngines(string program) => new(
        "engine/two",
        $"Both the embedded engine and {program} were requested.",
        "A node has only one engine.",
        "Remove --engine or the option that names the program.");

    public static Problem None(Product product) => new(
        "engine/none",
        $"This node has no {product.Program} program.",
        "The agent found none when it started.",
        $"Install {product.Title} and start the agent again.");

    public static Problem VersionMissing(Product product, string version, ProductProgram program, string other) => new(
        "engine/version-missing",
        $"The job asks for {product.Title} {version}, which is not on this node.",
        $"The node has {program.Version} ({program.Path}), and {other} does not exist.",
        $"Run `nomadstack fetch {product.Name}@{version}` on this node, or remove `version` from the task's config.");

    public static Problem NothingOffered(Product product, ProductProgram program) => new(
        "engine/nothing-offered",
        $"There is no other {product.Program} program to use.",
        $"Where this node looks for one, it finds nothing but what it uses already: {product.Title} {program.Version}.",
        $"Install another version, or name its file: `nomadstack program use {product.Name} FILE`.");

    public static Problem NotCopied(Product product, string program, string why) => new(
        "engine/not-copied",
        $"{program} could not be copied into the data folder.",
        why,
        $"Free space on its disk, and run `nomadstack program use {product.Name}` again. Nothing has changed.");

    public static Problem UnknownProduct(string name, IEnumerable<string> known) => new(
        "request/unknown-product",
        $"This stack has no product {name}.",
        $"It has {string.Join(" and ", known)}.",
        "Name one of these.");
}
