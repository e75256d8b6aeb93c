// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;

namespace Nomadstack.Fetch;

/// <summary>Releases in a folder, for a site without a network. The folder has the layout of a release server, or simply contains the files.</summary>
internal sealed class FolderReleases : ReleaseSource
{
    private readonly string _folder;

    /// <exception cref="ProblemException"><c>fetch/no-folder</c>.</exception>
    public FolderReleases(string folder)
    {
        _folder = Path.GetFullPath(folder);
        if (!Directory.Exists(_folder)) throw new ProblemException(FetchProblems.NoFolder(_folder));
    }

    public override string Name => _folder;

    public override Task<IReadOnlyList<SemVer>> VersionsAsync(string product, CancellationToken cancel)
    {
        var below = Path.Combine(_folder, product);
        var folders = Directory.Exists(below) ? Directory.EnumerateDirectories(below).Select(f => Path.GetFileName(f)!) : [];
        var beside = Directory.EnumerateFiles(_folder, product + "_*_SHA256SUMS").Select(f => Path.GetFileName(f)![(product.Length + 1)..^"_SHA256SUMS".Length]);
        return Task.FromResult<IReadOnlyList<SemVer>>([.. folders.Concat(beside).Select(SemVer.Parse).OfType<SemVer>().Distinct()]);
    }

    public override async Task<byte[]?> SmallAsync(string product, SemVer version, string file, CancellationToken cancel) =>
        Find(product, version, file) is { } path ? await File.ReadAllBytesAsync(path, cancel) : null;

    public override Task<FileStream?> LargeAsync(string product, SemVer version, string file, string partial, Action<long, long?> progress, CancellationToken cancel) =>
        Task.FromResult(Find(product, version, file) is { } path ? File.OpenRead(path) : null);

    private string? Find(string product, SemVer version, string file) =>
        new[] { Path.Combine(_folder, product, version.ToString(), file), Path.Combine(_folder, file) }.FirstOrDefault(File.Exists);
}
