// SPDX-License-Identifier: MPL-2.0
using System.Formats.Tar;
using System.Security.Cryptography;
using System.Text.Json;
using Nomadstack.Cluster;

namespace Nomadstack.Archives;

/// <summary>
/// An archive that was read to its end once: key, sums, names and format are right. Small files are held, the products' snapshots are read from the file again.
/// </summary>
internal sealed class ArchiveReader
{
    /// <summary>For one small file: a membership of 1,000 nodes has 2 MB.</summary>
    private const long MostSmall = 32L << 20;

    private readonly string _path, _key;
    private readonly Dictionary<string, byte[]> _small;

    private ArchiveReader(string path, string key, ArchiveManifest manifest, Dictionary<string, byte[]> small) => (_path, _key, Manifest, _small) = (path, key, manifest, small);

    public ArchiveManifest Manifest { get; }

    /// <summary>The membership document, as in <c>cluster.json</c>; settings and public authorities are in it.</summary>
    /// <exception cref="ProblemException"><c>archive/incomplete</c>.</exception>
    public byte[] Membership => Small(ArchiveNames.Membership);

    /// <summary>The cluster's secrets by name.</summary>
    /// <exception cref="ProblemException"><c>archive/incomplete</c>, <c>archive/corrupted</c>.</exception>
    public IReadOnlyDictionary<string, byte[]> Secrets => JsonSerializer.Deserialize(Small(ArchiveNames.Secrets), ArchiveJson.Default.DictionaryStringByteArray)!;

    /// <summary>Names of the small files.</summary>
    public IEnumerable<string> Names => _small.Keys;

    /// <summary>Opens an archive and reads all of it.</summary>
    /// <param name="key">The text of a <see cref="RecoveryKey"/>, or a kit's passphrase.</param>
    /// <exception cref="ProblemException"><c>archive/*</c>.</exception>
    public static async Task<ArchiveReader> OpenAsync(string path, string key, CancellationToken cancel)
    {
        try
        {
            await using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
            await using var clear = new OpenPgpReader(file, path, key);
            await using var tar = new TarReader(clear);
            ArchiveManifest? manifest = null;
            Dictionary<string, byte[]> small = [];
            HashSet<string> seen = [];
            while (await tar.GetNextEntryAsync(copyData: false, cancel) is { } entry)
            {
                if (manifest is null)
                {
                    manifest = entry.Name == ArchiveNames.Manifest ? ReadManifest(path, await HoldAsync(path, entry, cancel)) : throw new ProblemException(ArchiveProblems.Corrupted(path, "It does not begin with its manifest."));
                    continue;
                }

                if (manifest.Products.FirstOrDefault(p => p.File.Name == entry.Name)?.File is { } snapshot) await CheckAsync(path, entry, snapshot, cancel);
                else if (manifest.Files.FirstOrDefault(f => f.Name == entry.Name) is { } expected) small[entry.Name] = Checked(path, await HoldAsync(path, entry, cancel), expected);
                else throw new ProblemException(ArchiveProblems.Corrupted(path, $"It contains {entry.Name}, which its manifest does not name."));
                seen.Add(entry.Name);
            }

            // To the very end: only that proves the whole.
            await clear.CopyToAsync(Stream.Null, cancel);
            if (file.ReadByte() >= 0) throw new ProblemException(ArchiveProblems.Corrupted(path, "Something follows its end."));
            if (manifest is null) throw new ProblemException(ArchiveProblems.Corrupted(path, "It is empty."));
            if (manifest.Products.Select(p => p.File.Name).Concat(manifest.Files.Select(f => f.Name)).FirstOrDefault(n => !seen.Contains(n)) is { } missing) throw new ProblemException(ArchiveProblems.Lacks(path, missing));
            return new(path, key, manifest, small);
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException or JsonException or FormatException)
        {
            throw new ProblemException(ArchiveProblems.Corrupted(path, e.Message), e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ProblemException(ArchiveProblems.Unreadable(path, e.Message), e);
        }
    }

    /// <exception cref="ProblemException"><c>archive/other-cluster</c>.</exception>
    public void RequireCluster(string clusterId)
    {
        if (Manifest.ClusterId != clusterId) throw new ProblemException(ArchiveProblems.OtherCluster(_path, Manifest.ClusterId, clusterId));
    }

    /// <summary>Refuses a product's state where the program here is of an older minor version than the one that saved it.</summary>
    /// <param name="here">The version of a product on this machine; null where there is none.</param>
    /// <exception cref="ProblemException"><c>archive/newer-product</c>.</exception>
    public void RequireVersions(Func<string, string?> here)
    {
        foreach (var product in Manifest.Products)
        {
            if (SemVer.Parse(product.Version) is not { } there) continue;
            if (here(product.Name) is { } text && SemVer.Parse(text) is { } own && own.AtLeast(there.Major, there.Minor)) continue;
            throw new ProblemException(ArchiveProblems.NewerProduct(_path, product.Name, product.Version, here(product.Name) ?? "none"));
        }
    }

    public bool Has(string name) => _small.ContainsKey(name);

    /// <summary>A small file.</summary>
    /// <exception cref="ProblemException"><c>archive/incomplete</c>.</exception>
    public byte[] Small(string name) => _small.GetValueOrDefault(name) ?? throw new ProblemException(ArchiveProblems.Lacks(_path, name));

    /// <summary>The snapshot of a product, as its server made it. To be disposed.</summary>
    /// <exception cref="ProblemException"><c>archive/*</c>.</exception>
    public async Task<Stream> OpenSnapshotAsync(string product, CancellationToken cancel)
    {
        if (Manifest.Products.FirstOrDefault(p => p.Name == product) is not { } wanted) throw new ProblemException(ArchiveProblems.Lacks(_path, $"a snapshot of {product}"));
        var file = new FileStream(_path, FileMode.Open, FileAccess.Read, FileShare.Read);
        var clear = new OpenPgpReader(file, _path, _key);
        var tar = new TarReader(clear);
        while (await tar.GetNextEntryAsync(copyData: false, cancel) is { } entry)
        {
            if (entry.Name == wanted.File.Name && entry.DataStream is { } content) return new Owned(content, tar, clear, file);
        }

        await tar.DisposeAsync();
        throw new ProblemException(ArchiveProblems.Lacks(_path, wanted.File.Name));
    }

    private static ArchiveManifest ReadManifest(string path, byte[] bytes)
    {
        // The number first: a newer one may have another form.
        using (var document = JsonDocument.Parse(bytes))
        {
            if (document.RootElement.TryGetProperty("format", out var number) && number.TryGetInt32(out var format) && format > ArchiveManifest.CurrentFormat)
                throw new ProblemException(ArchiveProblems.NewerFormat(path, format, ArchiveManifest.CurrentFormat));
        }

        return JsonSerializer.Deserialize(bytes, ArchiveJson.Default.ArchiveManifest) ?? throw new ProblemException(ArchiveProblems.Corrupted(path, "Its manifest is empty."));
    }

    private static async Task<byte[]> HoldAsync(string path, TarEntry entry, CancellationToken cancel)
    {
        if (entry.Length > MostSmall) throw new ProblemException(ArchiveProblems.Corrupted(path, $"{entry.Name} in it is too large."));
        var held = new byte[entry.Length];
        if (entry.DataStream is { } content) await content.ReadExactlyAsync(held, cancel);
        return held;
    }

    private static byte[] Checked(string path, byte[] content, ArchivedFile expected)
    {
        if (content.Length != expected.Size || Convert.ToHexStringLower(SHA256.HashData(content)) != expected.Sha256) throw new ProblemException(ArchiveProblems.Corrupted(path, $"{expected.Name} in it does not match its sum."));
        return content;
    }

    private static async Task CheckAsync(string path, TarEntry entry, ArchivedFile expected, CancellationToken cancel)
    {
        using var sum = new HashedWriter(Stream.Null);
        if (entry.DataStream is { } content) await content.CopyToAsync(sum, cancel);
        if (sum.Count != expected.Size || sum.Sha256 != expected.Sha256) throw new ProblemException(ArchiveProblems.Corrupted(path, $"{expected.Name} in it does not match its sum."));
    }

    private sealed class Owned(Stream content, params IReadOnlyList<IDisposable> owned) : ReadOnlyStream
    {
        public override int Read(Span<byte> buffer) => content.Read(buffer);

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                foreach (var one in owned) one.Dispose();
            }

            base.Dispose(disposing);
        }
    }
}
