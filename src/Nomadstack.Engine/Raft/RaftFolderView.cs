// SPDX-License-Identifier: MPL-2.0
using Microsoft.Win32.SafeHandles;

namespace Nomadstack.Engine.Raft;

/// <summary>
/// A real folder that is looked at and not changed: what is cut off, appended, renamed or deleted is so in memory alone. So the log is read by the same rules
/// as at a server's start, which repairs what a power cut left, while a server may run on the folder.
/// </summary>
internal sealed class RaftFolderView(string path) : IRaftFiles
{
    private readonly Dictionary<string, ViewedFile?> _changed = [];

    public IReadOnlyList<string> List() =>
    [
        .. (Directory.Exists(path) ? Directory.EnumerateFiles(path).Select(f => Path.GetFileName(f)!) : []).Where(name => !_changed.ContainsKey(name)),
        .. _changed.Where(c => c.Value is not null).Select(c => c.Key),
    ];

    public IRaftFile Create(string name)
    {
        var file = new ViewedFile(null);
        _changed[name] = file;
        return file;
    }

    public IRaftFile Open(string name)
    {
        if (_changed.GetValueOrDefault(name) is { } changed) return changed;
        var file = new ViewedFile(File.OpenHandle(Path.Combine(path, name), FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete));
        return file;
    }

    public void Rename(string from, string to)
    {
        _changed[to] = (ViewedFile)Open(from);
        _changed[from] = null;
    }

    public void Delete(string name) => _changed[name] = null;

    public void SyncFolder()
    {
    }

    /// <summary>The beginning of a file, as long as it was when it was opened, and what was appended to it in memory.</summary>
    private sealed class ViewedFile(SafeFileHandle? handle) : IRaftFile
    {
        private readonly List<byte> _appended = [];
        private long _onDisk = handle is null ? 0 : RandomAccess.GetLength(handle);

        public long Length => _onDisk + _appended.Count;

        public int Read(long offset, Span<byte> buffer)
        {
            var read = 0;
            while (handle is not null && read < buffer.Length && offset + read < _onDisk)
            {
                var wanted = (int)Math.Min(buffer.Length - read, _onDisk - offset - read);
                if (RandomAccess.Read(handle, buffer.Slice(read, wanted), offset + read) is not (> 0 and var n)) return read;
                read += n;
            }

            for (; read < buffer.Length && offset + read < Length; read++) buffer[read] = _appended[(int)(offset + read - _onDisk)];
            return read;
        }

        public void Append(ReadOnlySpan<byte> bytes) => _appended.AddRange(bytes);

        public void Truncate(long length)
        {
            _appended.RemoveRange((int)Math.Max(0, length - _onDisk), (int)Math.Min(_appended.Count, Length - length));
            _onDisk = Math.Min(_onDisk, length);
        }

        public void Sync()
        {
        }

        public void Dispose() => handle?.Dispose();
    }
}
