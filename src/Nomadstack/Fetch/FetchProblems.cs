// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;

namespace Nomadstack.Fetch;

/// <summary>What can go wrong when a release is fetched, in words for an operator.</summary>
internal static class FetchProblems
{
    public static Problem NoSource(Product product) => new(
        "fetch/no-source",
        $"{product.Name} is not published at {ReleaseSource.Default}.",
        "Its makers publish it in another layout and sign it with another key.",
        "Name a mirror or folder in HashiCorp's layout with --from, and its key with --key.");

    public static Problem NoArchitecture() => new(
        "fetch/no-architecture",
        "There are no releases for this machine's processor.",
        "Releases are for amd64 and arm64.",
        "Build the program yourself and name it with --nomad-program.");

    public static Problem UnknownProduct(string name, ProductTable table) => new(
        "usage/product",
        $"\"{name}\" cannot be fetched.",
        "",
        $"Name one of {string.Join(", ", table.Rows.Select(p => p.Name))}, with or without a version: {table.Scheduler.Name}@1.10.5.");

    public static Problem UnreadableVersion(string name, string version) => new(
        "usage/version",
        $"\"{version}\" is not a version.",
        "",
        $"Write it as {name}@1.10.5, or leave it out to get the newest release.");

    public static Problem Busy(string folder) => new(
        "fetch/busy",
        "Another fetch into this folder is running.",
        $"It holds the lock of {folder}.",
        "Wait until it is done.");

    public static Problem DiskFull(string name, string folder) => new(
        "fetch/disk-full",
        $"There is no room for {name}.",
        $"The disk of {folder} is full. The incomplete files were removed.",
        "Free some space there, or choose another --data-dir.");

    public static Problem Unwritable(string name, string folder, string why) => new(
        "storage/unwritable",
        $"{name} could not be written.",
        why,
        $"Make {folder} writable, or choose another --data-dir.");

    public static Problem UnknownVersion(string what, string why, Product product) => new(
        "fetch/unknown-version",
        what,
        why,
        product.IsHashiCorps
            ? $"Choose a version from {ReleaseSource.Default}/{product.Name} and name it: {product.Name}@VERSION."
            : $"Name a version that the source has: {product.Name}@VERSION.");

    public static Problem BadSignature(string list, string source, string fingerprint, string why) => new(
        "fetch/bad-signature",
        $"The signature of {list} from {source} is not valid.",
        $"The signature was checked against the key {fingerprint}: {why}.",
        "Do not use this source. If it is a mirror that signs with its own key, name that key with --key FILE.")
    { Unsafe = true };

    public static Problem WrongSum(string file, string source, string found, string signed) => new(
        "fetch/wrong-sum",
        $"{file} from {source} is not the published file.",
        $"Its SHA-256 is {found}. The signed SHA-256 is {signed}.",
        "Try again, or use another source. If the error stays, tell the owner of the source.")
    { Unsafe = true };

    public static Problem NoFolder(string folder) => new(
        "fetch/no-folder",
        $"There is no folder {folder}.",
        "--from takes an address that begins with http, or a folder that can be read.",
        "Name a folder that exists.");

    public static Problem NoIndex(string source, string product, string why) => new(
        "fetch/no-index",
        $"{source} does not list its versions of {product}.",
        $"Its index.json cannot be read ({why.TrimEnd('.')}).",
        $"Name the version: {product}@VERSION.");

    public static Problem Interrupted(string file, string source, int attempts, string why) => new(
        "fetch/interrupted",
        $"The download of {file} was interrupted.",
        $"{attempts} attempts from {source} failed. The last error: {why}.",
        "Run the same command again. It continues where it stopped.");

    public static Problem NoNetwork(string address, string why) => new(
        "fetch/no-network",
        $"{address} cannot be read.",
        $"{char.ToUpperInvariant(why[0])}{why[1..]}.",
        "Check the network and its proxy (HTTPS_PROXY), or name a mirror with --from URL. Without a network, copy the files to this machine and name their folder with --from DIR.");

    public static Problem UnsafeArchive(string archive, string entry, string why) => new(
        "fetch/unsafe-archive",
        $"{archive} was not unpacked.",
        $"Its entry \"{entry}\" {why}.",
        "Do not use this source, and tell its owner. No release has such an entry.")
    { Unsafe = true };

    public static Problem BadArchive(string archive, string why) => new(
        "fetch/bad-archive",
        $"{archive} is damaged.",
        $"Its SHA-256 is the published one, but {why}.",
        "Try another version, and tell the owner of the source.");

    public static Problem BadKey(string file, string why) => new(
        "fetch/bad-key",
        $"{file} is not an OpenPGP public key.",
        $"Reading it failed: {why}.",
        "Use a file made with `gpg --export --armor KEYID` for --key.");

    public static Problem OlderList(string source, Product product, SemVer newest, SemVer here) => new(
        "fetch/older-list",
        $"{source} says that {product.Name} {newest} is the newest. {here} was fetched to this machine before.",
        "A list of versions is not signed. It may be out of date, or cut short by somebody who wants you to run an old version.",
        $"Use another source. Or name the version that you want: {product.Name}@{here}.")
    { Unsafe = true };
}
