// SPDX-License-Identifier: MPL-2.0
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Nomadstack.Cluster;
using Nomadstack.Ground.Kernel;
using Nomadstack.Programs;
using Nomadstack.Storage;

namespace Nomadstack.Fetch;

/// <summary>
/// Brings a release to <c>bin/PRODUCT/VERSION/</c>: signature of the sums, sum of the archive, unpacked beside and renamed. Either all of it is there and
/// survives a power cut, or nothing is, except the part of a download that broke off, which the next attempt continues.
/// </summary>
internal sealed class Fetcher(NodePaths paths, ReleaseSource source, ReleaseKey key, string architecture)
{
    private const int DiskFull = Libc.ENOSPC, QuotaFull = 122;

    /// <summary>As HashiCorp names them; null where nothing is built for this machine.</summary>
    public static string? ArchitectureHere => RuntimeInformation.OSArchitecture switch
    {
        Architecture.X64 => "amd64",
        Architecture.Arm64 => "arm64",
        _ => null,
    };

    /// <exception cref="ProblemException"><c>fetch/*</c> or <c>storage/unwritable</c>.</exception>
    public async Task<Fetched> FetchAsync(Wanted wanted, Action<FetchProgress> progress, CancellationToken cancel)
    {
        var product = wanted.Product;
        var version = wanted.Version ?? await NewestAsync(product, progress, cancel);
        var name = $"{product.Name} {version}";
        var target = Path.Combine(paths.Binaries, product.Name, version.ToString());
        var fetched = new Fetched(product.Name, version.ToString(), product.LicenceOf(version), Path.Combine(target, product.Program), New: true);
        // The rename is the last act: what has its name is whole.
        if (File.Exists(fetched.Path) && ProgramSums.Complaint(fetched.Path) is null) return fetched with { New = false };

        var zip = $"{product.Name}_{version}_linux_{architecture}.zip";
        progress(new($"check the signature of {name}"));
        var sum = await SignedSumAsync(product, version, zip, cancel);
        try
        {
            CreateFolders(Path.GetDirectoryName(target)!);
            using var alone = FolderLock.TryTake(paths.Binaries) ?? throw new ProblemException(new("fetch/busy", "Another fetch into this folder runs.", $"It holds the lock of {paths.Binaries}.", "Wait until it is done."));
            await FetchAsync(product, version, zip, sum, target, progress, cancel);
            return fetched;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw e.HResult is DiskFull or QuotaFull
                ? new ProblemException(new("fetch/disk-full", $"There is no room for {name}.", $"The disk of {paths.Binaries} is full. What was written of it is removed.", "Free some space there, or choose another --data-dir."), e)
                : new ProblemException(new("storage/unwritable", $"{name} could not be written.", e.Message, $"Make {paths.Binaries} writable, or choose another --data-dir."), e);
        }
    }

    private async Task FetchAsync(Product product, SemVer version, string zip, string sum, string target, Action<FetchProgress> progress, CancellationToken cancel)
    {
        var parts = Path.Combine(paths.Binaries, ".partial");
        // Named by the sum that was signed: what is continued is a part of the same file.
        var partial = Path.Combine(parts, sum);
        // Behind a dot, so that nobody takes it for a version. One that a killed fetch left is nobody's: we hold the lock.
        var unpacked = Path.Combine(Path.GetDirectoryName(target)!, "." + version);
        var keepPart = false;
        try
        {
            Directory.CreateDirectory(parts);
            if (Directory.Exists(unpacked)) Directory.Delete(unpacked, recursive: true);
            await using var archive = await VerifiedAsync(product, version, zip, sum, partial, progress, cancel);
            progress(new($"unpack {zip}"));
            await ReleaseArchive.UnpackAsync(archive, zip, product.Program, unpacked, cancel);
            ProgramSums.Write(unpacked);
            // One that is no longer what was unpacked. Programs that run from it keep their files.
            if (Directory.Exists(target)) Directory.Delete(target, recursive: true);
            Directory.Move(unpacked, target);
            DurableFolders.Sync(Path.GetDirectoryName(target)!, paths.Binaries, paths.Data);
        }
        catch (Exception e) when (e is OperationCanceledException or ProblemException { Problem.Code: "fetch/interrupted" or "fetch/no-network" })
        {
            keepPart = true;
            throw;
        }
        finally
        {
            if (Directory.Exists(unpacked)) Directory.Delete(unpacked, recursive: true);
            if (!keepPart) File.Delete(partial);
            RemoveIfEmpty(parts);
            RemoveIfEmpty(Path.GetDirectoryName(target)!);
        }
    }

    private async Task<SemVer> NewestAsync(Product product, Action<FetchProgress> progress, CancellationToken cancel)
    {
        progress(new($"look for the newest {product.Name}"));
        var versions = await source.VersionsAsync(product.Name, cancel);
        // Neither previews nor enterprise builds are what somebody means who names no version.
        var newest = versions.Where(IsFinished).Max()
            ?? throw Unknown($"{source.Name} has no release of {product.Name}.", "It has no index of it, or none with a finished version.", product);
        // Each release is signed, and the list of them is not: whoever stands between could make it end where a known hole was still open.
        return NewestHere(product) is { } here && newest < here ? throw new ProblemException(FetchProblems.OlderList(source.Name, product, newest, here)) : newest;
    }

    private static bool IsFinished(SemVer version) => version.PreRelease.Length == 0 && version.Metadata.Length == 0;

    private SemVer? NewestHere(Product product)
    {
        var versions = Path.Combine(paths.Binaries, product.Name);
        return Directory.Exists(versions) ? Directory.EnumerateDirectories(versions).Select(folder => SemVer.Parse(Path.GetFileName(folder))).OfType<SemVer>().Where(IsFinished).Max() : null;
    }

    private async Task<string> SignedSumAsync(Product product, SemVer version, string zip, CancellationToken cancel)
    {
        var list = $"{product.Name}_{version}_SHA256SUMS";
        var sums = await source.SmallAsync(product.Name, version, list, cancel)
            ?? throw Unknown($"{source.Name} has no {product.Name} {version}.", $"There is no {list}.", product);
        // The second name carries the key's own, from the days when there were two keys.
        var signature = await source.SmallAsync(product.Name, version, list + ".sig", cancel)
            ?? await source.SmallAsync(product.Name, version, $"{list}.{key.Fingerprint[^8..]}.sig", cancel);
        if ((signature is null ? "it has none" : key.Complaint(sums, signature)) is { } complaint)
            throw new ProblemException(new("fetch/bad-signature", $"The signature of {list} from {source.Name} is not good.", $"As a signature by {key.Fingerprint}: {complaint}.", "Do not use this source. If it is a mirror that signs with a key of its own, name that key with --key FILE.") { Unsafe = true });
        return Checksums.Of(sums, zip)
            ?? throw Unknown($"{source.Name} has no {product.Name} {version} for linux/{architecture}.", $"{list} does not name {zip}.", product);
    }

    private async Task<FileStream> VerifiedAsync(Product product, SemVer version, string zip, string sum, string partial, Action<FetchProgress> progress, CancellationToken cancel)
    {
        while (true)
        {
            var continued = File.Exists(partial);
            var archive = await source.LargeAsync(product.Name, version, zip, partial, (bytes, total) => progress(new($"fetch {zip}", bytes, total)), cancel)
                ?? throw Unknown($"{source.Name} has no {zip}.", "It names the file among its sums and does not have it.", product);
            archive.Position = 0;
            var found = Convert.ToHexStringLower(await SHA256.HashDataAsync(archive, cancel));
            archive.Position = 0;
            if (found == sum) return archive;
            await archive.DisposeAsync();
            File.Delete(partial);
            // The part of an earlier attempt may be what is wrong; it gets one chance to be forgotten.
            if (!continued)
                throw new ProblemException(new("fetch/wrong-sum", $"{zip} from {source.Name} is not what was published.", $"Its SHA-256 is {found}, and signed was {sum}.", "Try again, or another source; if it stays so, tell those who run it.") { Unsafe = true });
        }
    }

    private static ProblemException Unknown(string what, string why, Product product) =>
        new(new("fetch/unknown-version", what, why, product.IsHashiCorps
            ? $"See which there are at {ReleaseSource.Default}/{product.Name}, and name one: {product.Name}@VERSION."
            : $"Name a version that the source has: {product.Name}@VERSION."));

    /// <summary>The data folder is its owner's alone, whoever makes it first; what is above it is not ours to close.</summary>
    private void CreateFolders(string last)
    {
        if (Path.GetDirectoryName(paths.Data) is { } above) DurableFolders.Create(above);
        DurableFolders.Create(paths.Data, DurableFolders.OwnerOnly);
        DurableFolders.Create(last);
    }

    private static void RemoveIfEmpty(string folder)
    {
        if (Directory.Exists(folder) && !Directory.EnumerateFileSystemEntries(folder).Any()) Directory.Delete(folder);
    }
}
