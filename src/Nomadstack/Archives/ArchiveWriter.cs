// SPDX-License-Identifier: MPL-2.0
using System.Formats.Tar;
using System.Security.Cryptography;
using System.Text.Json;

namespace Nomadstack.Archives;

/// <summary>A file to put into an archive: content that is held, or a file on disk.</summary>
internal sealed record ArchivePart(string Name, byte[]? Content = null, string? Path = null)
{
    public Stream Open() => Content is not null ? new MemoryStream(Content, writable: false) : new FileStream(Path!, FileMode.Open, FileAccess.Read, FileShare.Read);

    /// <summary>Its name, size and sum.</summary>
    public ArchivedFile Sum()
    {
        using var from = Open();
        return new(Name, from.Length, Convert.ToHexStringLower(SHA256.HashData(from)));
    }
}

/// <summary>Names of the files in an archive.</summary>
internal static class ArchiveNames
{
    public const string Manifest = "manifest.json", Membership = "cluster.json", Secrets = "secrets.json", CaCertificate = "pki/ca.crt", CaKey = "pki/ca.key", HowTo = "README.txt";

    public static string Snapshot(string product) => product + ".snap";

    /// <summary>The keys that a product keeps outside raft.</summary>
    public static string Keys(string product) => product + "/keystore/";
}

/// <summary>Writes an archive: a tar, encrypted.</summary>
internal static class ArchiveWriter
{
    /// <param name="manifest">Its <see cref="ArchiveManifest.Files"/> are filled in here.</param>
    /// <param name="products">By name, what <see cref="ArchiveManifest.Products"/> speaks of.</param>
    /// <returns>The manifest as written, and the size and SHA-256 of the encrypted file.</returns>
    public static async Task<(ArchiveManifest Manifest, ArchivedFile Whole)> WriteAsync(
        Stream to, string passphrase, Stretch stretch, ArchiveManifest manifest, IReadOnlyList<ArchivePart> parts, IReadOnlyList<ArchivePart> products, CancellationToken cancel)
    {
        manifest = manifest with { Files = [.. parts.Select(p => p.Sum())] };
        using var hashed = new HashedWriter(to);
        using (var encrypted = new OpenPgpWriter(hashed, passphrase, stretch))
        {
            await using (var tar = new TarWriter(encrypted, TarEntryFormat.Pax, leaveOpen: true))
            {
                ArchivePart first = new(ArchiveNames.Manifest, JsonSerializer.SerializeToUtf8Bytes(manifest, ArchiveJson.Default.ArchiveManifest));
                foreach (var part in (IEnumerable<ArchivePart>)[first, .. parts, .. products]) await AddAsync(tar, part, manifest.TakenAt, cancel);
            }

            encrypted.Finish();
        }

        return (manifest, new("", hashed.Count, hashed.Sha256));
    }

    private static async Task AddAsync(TarWriter tar, ArchivePart part, DateTimeOffset at, CancellationToken cancel)
    {
        await using var content = part.Open();
        var entry = new PaxTarEntry(TarEntryType.RegularFile, part.Name) { DataStream = content, Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite, ModificationTime = at };
        await tar.WriteEntryAsync(entry, cancel);
    }
}
