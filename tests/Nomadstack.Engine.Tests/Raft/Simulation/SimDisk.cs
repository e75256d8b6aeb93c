// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Raft;

namespace Nomadstack.Engine.Tests.Raft.Simulation;

/// <summary>The process died, or the power went, in the middle of a call.</summary>
internal sealed class CrashException : Exception;

/// <summary>
/// A folder that forgets what was not synced: of a file's unsynced end any part survives, whole, cut, as zeros or with a wrong byte;
/// of the changes of names since the last sync of the folder the first few do.
/// </summary>
internal sealed class SimDisk(Random random) : IRaftFiles
{
    private readonly List<Action<Dictionary<string, Content>>> _unsyncedNames = [];
    private Dictionary<string, Content> _names = [];
    private Dictionary<string, Content> _durableNames = [];
    private int _generation;

    /// <summary>So many more points around calls are passed; then the process dies there. Negative: it does not.</summary>
    public int PointsUntilCrash { get; set; } = -1;

    /// <summary>A disk that claims to have synced (a mutation, not a fault raft can survive).</summary>
    public bool LiesAboutFiles { get; init; }

    public bool LiesAboutNames { get; init; }

    public int Syncs { get; private set; }

    public IReadOnlyList<string> List() => [.. _names.Keys];

    public byte[] ContentOf(string name) => [.. _names[name].Bytes];

    public void Overwrite(string name, byte[] bytes) => _names[name] = new() { Bytes = [.. bytes], Durable = bytes };

    public IRaftFile Create(string name)
    {
        Point();
        var content = new Content();
        ChangeNames(names => names[name] = content);
        Point();
        return new OpenFile(this, content);
    }

    public IRaftFile Open(string name) => new OpenFile(this, _names[name]);

    public void Rename(string from, string to)
    {
        Point();
        ChangeNames(names =>
        {
            if (names.Remove(from, out var content)) names[to] = content;
        });
        Point();
    }

    public void Delete(string name)
    {
        Point();
        ChangeNames(names => names.Remove(name));
        Point();
    }

    public void SyncFolder()
    {
        Point();
        if (!LiesAboutNames)
        {
            _durableNames = new(_names);
            _unsyncedNames.Clear();
        }

        Point();
    }

    /// <summary>The process is gone, and with it its open files. What it wrote is there, though not durable.</summary>
    public void KillProcess()
    {
        _generation++;
        PointsUntilCrash = -1;
    }

    /// <summary>The power is gone, and with it what was not synced.</summary>
    public void LosePower()
    {
        KillProcess();
        var survivors = random.Next(_unsyncedNames.Count + 1);
        for (var i = 0; i < survivors; i++) _unsyncedNames[i](_durableNames);
        _unsyncedNames.Clear();
        foreach (var content in _durableNames.Values) content.LosePower(random);
        _names = new(_durableNames);
    }

    private int Part(int length) => random.Next(length);

    private void ChangeNames(Action<Dictionary<string, Content>> change)
    {
        change(_names);
        _unsyncedNames.Add(change);
    }

    private void Point()
    {
        if (PointsUntilCrash < 0) return;
        if (PointsUntilCrash-- == 0) throw new CrashException();
    }

    private sealed class Content
    {
        public List<byte> Bytes { get; set; } = [];

        public byte[] Durable { get; set; } = [];

        public void LosePower(Random random)
        {
            var common = Math.Min(Durable.Length, Bytes.Count);
            var cut = Bytes.Count < Durable.Length;
            if (cut && random.Next(2) == 0) common = Durable.Length;
            List<byte> left = [.. Durable.AsSpan(0, common)];
            if (!cut)
            {
                var tail = Bytes.GetRange(common, Bytes.Count - common);
                switch (random.Next(4))
                {
                    case 0:
                        tail.Clear();
                        break;
                    case 1:
                        tail = tail.GetRange(0, random.Next(tail.Count + 1));
                        break;
                    case 2:
                        var written = random.Next(tail.Count + 1);
                        for (var i = written; i < tail.Count; i++) tail[i] = 0;
                        break;
                    default:
                        if (tail.Count > 0 && random.Next(2) == 0) tail[random.Next(tail.Count)] ^= (byte)(1 << random.Next(8));
                        break;
                }

                left.AddRange(tail);
            }

            Bytes = left;
            Durable = [.. left];
        }
    }

    private sealed class OpenFile(SimDisk disk, Content content) : IRaftFile
    {
        private readonly int _generation = disk._generation;

        public long Length => content.Bytes.Count;

        public int Read(long offset, Span<byte> buffer)
        {
            var count = (int)Math.Clamp(content.Bytes.Count - offset, 0, buffer.Length);
            content.Bytes.GetRange((int)offset, count).CopyTo(buffer);
            return count;
        }

        public void Append(ReadOnlySpan<byte> bytes)
        {
            try
            {
                Point();
            }
            catch (CrashException)
            {
                content.Bytes.AddRange(bytes[..disk.Part(bytes.Length)]);
                throw;
            }

            content.Bytes.AddRange(bytes);
            Point();
        }

        public void Truncate(long length)
        {
            Point();
            content.Bytes.RemoveRange((int)length, content.Bytes.Count - (int)length);
            Point();
        }

        public void Sync()
        {
            Point();
            disk.Syncs++;
            if (!disk.LiesAboutFiles) content.Durable = [.. content.Bytes];
            Point();
        }

        public void Dispose()
        {
        }

        private void Point()
        {
            if (_generation != disk._generation) throw new InvalidOperationException("A process that is dead writes.");
            disk.Point();
        }
    }
}
