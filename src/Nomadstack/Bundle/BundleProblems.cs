// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;

namespace Nomadstack.Bundle;

/// <summary>What can be wrong with a bundle, in words for an operator.</summary>
internal static class BundleProblems
{
    public static Problem NotPublished(string folder) => new(
        "bundle/not-published",
        "This nomadstack is not a single file, so it cannot go into a bundle.",
        $"It was started from a build folder ({folder}), where it consists of many files.",
        "Publish it and run the result: dotnet publish src/Nomadstack -c Release -r linux-x64 -o out");

    public static Problem NoFile(string file) => new(
        "bundle/not-a-program",
        $"There is no file {file}.",
        "It does not exist, or a folder on its path cannot be read.",
        "Name a binary that exists.");

    public static Problem NotOurProgram(string file) => new(
        "bundle/not-a-program",
        $"{file} is not a Linux program.",
        "A bundle begins with nomadstack's own binary.",
        "Run the published binary.");

    public static Problem NotAProgram(string name, string file) => new(
        "bundle/not-a-program",
        $"{file} is not a Linux program.",
        "It is not an ELF file, so a machine that gets the bundle could not run it.",
        $"Name the {name} binary itself, not a script around it.");

    public static Problem OtherMachine(string name, string file, string built, string machine) => new(
        "bundle/other-machine",
        $"{file} is built for {built}, and this nomadstack for {machine}.",
        "A bundle runs on one kind of machine.",
        $"Name a {name} for {machine}, or make the bundle with the nomadstack for {built}.");

    public static Problem Unwritable(string output, string why) => new(
        "storage/unwritable",
        $"{output} could not be written.",
        why,
        "Free space, or name another file with --output.");

    public static Problem NoExec(string folder, string mountPoint) => new(
        "bundle/noexec",
        $"The programs of this bundle cannot run from {folder}.",
        $"{mountPoint} is mounted with the option noexec.",
        "Mount it without noexec, or choose another --data-dir.");

    public static Problem NotUnpacked(string target, string root, string why) => new(
        "storage/unwritable",
        $"The programs of this bundle could not be unpacked to {target}.",
        why,
        $"Free space there or make {root} writable, or choose another --data-dir.");

    public static Problem Busy(string folder, TimeSpan patience) => new(
        "bundle/busy",
        $"Another process has been unpacking to {folder} for {patience.TotalSeconds:0} s.",
        "It holds the lock of that folder and does not end.",
        "Find the process with `fuser`, end it and try again.");

    public static Problem Newer(string file) => new(
        "bundle/newer",
        $"The bundle in {file} was made by another version of nomadstack.",
        "This version does not know its layout.",
        "Make the bundle again with `nomadstack bundle`.");

    public static Problem Damaged(string file, string why) => new(
        "bundle/damaged",
        $"The bundle in {file} is damaged.",
        $"{char.ToUpperInvariant(why[0])}{why[1..]}.",
        "Copy the file here again and compare its SHA-256 with the original's.");
}
