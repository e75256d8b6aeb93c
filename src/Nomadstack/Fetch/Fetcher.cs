// SPDX-License-Identifier: MPL-2.0
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Nomadstack.Cluster;
using Nomadstack.Ground.Kernel;
using Nomadstack.Programs;
using Nomadstack.Storage;

namespace Nomadstack.Fetch;

/// <summary>
/// Brings a release to <c>bin/PRODUCT/VERSION/</c>: checks the signature of the sums and the sum of the archive, unpacks into a temporary folder and renames it. Either the whole release is there and
/// survives a power cut, or nothing is. Only a partial download may remain; the next attempt continues it.
/// </summary>
internal sealed class Fetcher(NodePaths paths, ReleaseSource source, ReleaseKey key, string architecture)
{
    private const int DiskFull = Libc.ENOSPC, QuotaFull = 122;

    /// <summary>In HashiCorp's words; null where there are no releases for this machine.</summary>
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
            using var alone = FolderLock.TryTake(paths.Binaries) ?? throw new ProblemException(FetchProblems.Busy(paths.Binaries));
            await FetchAsync(product, version, zip, sum, target, progress, cancel);
            return fetched;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw e.HResult is DiskFull or QuotaFull
                ? new ProblemException(FetchProblems.DiskFull(name, paths.Binaries), e)
                : new ProblemException(FetchProblems.Unwritable(name, paths.Binaries, e.Message), e);
        }
    }

    private async Task FetchAsync(Product product, SemVer version, string zip, string sum, string target, Action<FetchProgress> progress, CancellationToken cancel)
    {
        var parts = Path.Combine(paths.Binaries, ".partial");
        // The name contains the signed sum, so a partial download always belongs to the same file.
        var partial = Path.Combine(parts, sum);
        // The dot keeps it from being taken for a version. We hold the lock, so a leftover of a killed fetch may be deleted.
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
            ?? throw Unknown($"{source.Name} has no release of {product.Name}.", "It has no index of the product, or the index has no finished release.", product);
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
        // The second name contains the key's id. It dates from the time when there were two keys.
        var signature = await source.SmallAsync(product.Name, version, list + ".sig", cancel)
            ?? await source.SmallAsync(product.Name, version, $"{list}.{key.Fingerprint[^8..]}.sig", cancel);
        if ((signature is null ? "there is no signature" : key.Complaint(sums, signature)) is { } complaint)
            throw new ProblemException(FetchProblems.BadSignature(list, source.Name, key.Fingerprint, complaint));
        return Checksums.Of(sums, zip)
            ?? throw Unknown($"{source.Name} has no {product.Name} {version} for linux/{architecture}.", $"{list} does not name {zip}.", product);
    }

    private async Task<FileStream> VerifiedAsync(Product product, SemVer version, string zip, string sum, string partial, Action<FetchProgress> progress, CancellationToken cancel)
    {
        while (true)
        {
            var continued = File.Exists(partial);
            var archive = await source.LargeAsync(product.Name, version, zip, partial, (bytes, total) => progress(new($"fetch {zip}", bytes, total)), cancel)
                ?? throw Unknown($"{source.Name} has no {zip}.", "The signed list names the file, but the source does not have it.", product);
            archive.Position = 0;
            var found = Convert.ToHexStringLower(await SHA256.HashDataAsync(archive, cancel));
            archive.Position = 0;
            if (found == sum) return archive;
            await archive.DisposeAsync();
            File.Delete(partial);
            // The part from an earlier attempt may be wrong. It was deleted; try once more without it.
            if (!continued)
                throw new ProblemException(FetchProblems.WrongSum(zip, source.Name, found, sum));
        }
    }

    private static ProblemException Unknown(string what, string why, Product product) =>
        new(FetchProblems.UnknownVersion(what, why, product));

    /// <summary>The data folder is its owner's alone, whoever makes it first; what is above it is not ours to close.</summary>
    private void CreateFolders(string last)
    {
        DurableFolders.CreateOwn(paths.Data);
        DurableFolders.Create(last);
    }

    private static void RemoveIfEmpty(string folder)
    {
        if (Directory.Exists(folder) && !Directory.EnumerateFileSystemEntries(folder).Any()) Directory.Delete(folder);
    }
}
