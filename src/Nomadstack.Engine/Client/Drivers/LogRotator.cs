// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using Microsoft.Win32.SafeHandles;

namespace Nomadstack.Engine.Client.Drivers;

/// <summary>
/// Appends a stream to <c>NAME.0</c>, <c>NAME.1</c> and so on, each up to a size, and keeps the newest few. A line goes into the next file rather than
/// in two, unless it is as long as a file. A new rotator goes on in the last file.
/// </summary>
internal sealed class LogRotator : IDisposable
{
    private readonly string _folder, _name;
    private readonly int _files;
    private readonly long _size;
    private SafeFileHandle _file;
    private int _index;
    private long _length;

    public LogRotator(string folder, string name, int files, long size)
    {
        (_folder, _name, _files, _size) = (folder, name, files, size);
        _index = Indexes().DefaultIfEmpty(0).Max();
        _file = Open();
    }

    public void Write(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            var take = Math.Max(0, (int)Math.Min(_size - _length, bytes.Length));
            if (take < bytes.Length && bytes[..take].LastIndexOf((byte)'\n') is var line)
            {
                if (line >= 0) take = line + 1;
                // The line's beginning is in this file already, or it fits in no file: then it is cut.
                else if (_length > 0 && _length < _size && Fits(bytes)) take = 0;
            }

            if (take == 0)
            {
                Next();
                continue;
            }

            RandomAccess.Write(_file, bytes[..take], _length);
            _length += take;
            bytes = bytes[take..];
        }
    }

    public void Dispose() => _file.Dispose();

    private bool Fits(ReadOnlySpan<byte> bytes) => (bytes.IndexOf((byte)'\n') is >= 0 and var end ? end + 1 : bytes.Length) <= _size;

    private void Next()
    {
        _file.Dispose();
        _index++;
        _file = Open();
        foreach (var old in Indexes().Order().SkipLast(_files).ToList()) File.Delete(PathOf(old));
    }

    private SafeFileHandle Open()
    {
        var file = File.OpenHandle(PathOf(_index), FileMode.OpenOrCreate, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);
        _length = RandomAccess.GetLength(file);
        return file;
    }

    private string PathOf(int index) => Path.Combine(_folder, string.Create(CultureInfo.InvariantCulture, $"{_name}.{index}"));

    private IEnumerable<int> Indexes()
    {
        foreach (var path in Directory.EnumerateFiles(_folder, _name + ".*"))
            if (int.TryParse(Path.GetFileName(path.AsSpan())[(_name.Length + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var index)) yield return index;
    }
}
