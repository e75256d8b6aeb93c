// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;

namespace Nomadstack.Fetch;

/// <summary>Where releases come from. A source is not trusted: the sums are signed, and each file is checked against its sum.</summary>
internal abstract class ReleaseSource : IDisposable
{
    /// <summary>HashiCorp's own.</summary>
    public const string Default = "https://releases.hashicorp.com";

    /// <summary>The name for people.</summary>
    public abstract string Name { get; }

    /// <param name="from">An address, or a folder.</param>
    public static ReleaseSource At(string from, TimeProvider time) =>
        Uri.TryCreate(from, UriKind.Absolute, out var address) && address.Scheme is "http" or "https" ? new HttpReleases(address, time) : new FolderReleases(from);

    /// <summary>Every version there is, in no order.</summary>
    public abstract Task<IReadOnlyList<SemVer>> VersionsAsync(string product, CancellationToken cancel);

    /// <summary>A small file; null when it is not there.</summary>
    public abstract Task<byte[]?> SmallAsync(string product, SemVer version, string file, CancellationToken cancel);

    /// <summary>A large file as an open local one; null when it is not there.</summary>
    /// <param name="partial">The file for the download. If it exists, that download is continued.</param>
    /// <param name="progress">Bytes so far, and of how many.</param>
    public abstract Task<FileStream?> LargeAsync(string product, SemVer version, string file, string partial, Action<long, long?> progress, CancellationToken cancel);

    public virtual void Dispose()
    {
    }
}
