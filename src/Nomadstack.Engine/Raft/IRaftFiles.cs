// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Engine.Raft;

/// <summary>
/// The one folder that the log and the snapshots live in. Everything raft does to a disk goes through here, so that a test can lose power around each call.
/// </summary>
/// <remarks>What was written is durable after <see cref="IRaftFile.Sync"/>; that a file exists under its name, or no longer does, after <see cref="SyncFolder"/>.</remarks>
internal interface IRaftFiles
{
    IReadOnlyList<string> List();

    /// <summary>Creates an empty file, in place of one of that name.</summary>
    IRaftFile Create(string name);

    IRaftFile Open(string name);

    void Rename(string from, string to);

    void Delete(string name);

    void SyncFolder();
}

internal interface IRaftFile : IDisposable
{
    long Length { get; }

    /// <summary>Reads from an offset as much as there is and fits.</summary>
    int Read(long offset, Span<byte> buffer);

    void Append(ReadOnlySpan<byte> bytes);

    /// <summary>Cuts the file off.</summary>
    void Truncate(long length);

    void Sync();
}
