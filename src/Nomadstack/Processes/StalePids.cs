// SPDX-License-Identifier: MPL-2.0
using System.Buffers.Binary;
using System.Buffers.Text;
using System.Runtime.InteropServices;
using Nomadstack.Ground.Kernel;

namespace Nomadstack.Processes;

/// <summary>
/// The process ids that a stopped Nomad client keeps in its <c>state.db</c>: those of external plugins, logmon and executors.
/// The result is a superset: no pid is missed, and an extra number does no harm.
/// </summary>
/// <remarks>
/// Nomad before 1.9.2 (go-plugin before 1.6.2) re-attaches to these at its start. If nobody answers at the remembered address, as after every reboot,
/// it sends SIGKILL to whatever has the pid now (go-plugin #320, nomad #23969): a server of ours, or sshd. Hence <see cref="PidCounter"/>.
/// The file is scanned, not parsed: records in a bolt file are contiguous, and free pages that still hold old records only add to the set.
/// </remarks>
internal static class StalePids
{
    private const int Chunk = 256 * 1024;

    /// <summary>Longest form: the JSON key, some spaces and ten digits.</summary>
    private const int Overlap = 32;

    /// <summary>Pids in the file; none when there is no file. Takes no lock, since Nomad would have to wait for it.</summary>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static unsafe IReadOnlySet<int> Read(string stateDbPath)
    {
        var pids = new SortedSet<int>();
        var fd = Libc.Open(stateDbPath, Libc.O_RDONLY | Libc.O_CLOEXEC, 0);
        if (fd < 0) return Marshal.GetLastPInvokeError() is Libc.ENOENT or Libc.ENOTDIR ? pids : throw Failed(stateDbPath);
        try
        {
            var buffer = new byte[Chunk];
            var length = 0;
            while (true)
            {
                nint n;
                fixed (byte* at = &buffer[length]) n = Libc.Read(fd, at, buffer.Length - length);
                if (n < 0)
                {
                    if (Marshal.GetLastPInvokeError() == Libc.EINTR) continue;
                    throw Failed(stateDbPath);
                }

                length += (int)n;
                Scan(buffer.AsSpan(0, length), pids);
                if (n == 0) return pids;
                // A key at the end may have its number in the next chunk, so chunks overlap. Scanning a number twice does no harm.
                var keep = Math.Min(length, Overlap);
                buffer.AsSpan(length - keep, keep).CopyTo(buffer);
                length = keep;
            }
        }
        finally
        {
            _ = Libc.Close(fd);
        }
    }

    /// <summary>The processes that run now under one of these pids, with their command lines: such a client would kill them.</summary>
    public static IReadOnlyDictionary<int, string> Living(IEnumerable<int> pids)
    {
        var living = new SortedDictionary<int, string>();
        foreach (var pid in pids)
        {
            if (ProcFs.CommandLine(pid) is { } arguments) living[pid] = string.Join(' ', arguments);
        }

        return living;
    }

    /// <summary>Pure. Numbers after a msgpack key <c>Pid</c> or a JSON key <c>"Pid"</c>; 0, 1 and negative numbers are never such a process.</summary>
    internal static void Scan(ReadOnlySpan<byte> bytes, ISet<int> pids)
    {
        for (var rest = bytes; rest.IndexOf("Pid"u8) is >= 0 and var at; rest = rest[(at + 3)..])
        {
            var after = rest[(at + 3)..];
            var before = bytes.Length - rest.Length + at - 1;
            if (before < 0) continue;
            var pid = bytes[before] switch
            {
                0xa3 => MsgPack(after),
                (byte)'"' => Json(after),
                _ => null,
            };
            if (pid is > 1 and <= int.MaxValue) pids.Add((int)pid.Value);
        }
    }

    private static long? MsgPack(ReadOnlySpan<byte> value) => value switch
    {
        [<= 0x7f and var small, ..] => small,
        [0xcc, var one, ..] => one,
        [0xcd, .. { Length: >= 2 } two] => BinaryPrimitives.ReadUInt16BigEndian(two),
        [0xce, .. { Length: >= 4 } four] => BinaryPrimitives.ReadUInt32BigEndian(four),
        [0xcf or 0xd3, .. { Length: >= 8 } eight] => BinaryPrimitives.ReadInt64BigEndian(eight),
        [0xd0, var one, ..] => (sbyte)one,
        [0xd1, .. { Length: >= 2 } two] => BinaryPrimitives.ReadInt16BigEndian(two),
        [0xd2, .. { Length: >= 4 } four] => BinaryPrimitives.ReadInt32BigEndian(four),
        _ => null,
    };

    private static long? Json(ReadOnlySpan<byte> value)
    {
        if (value is not [(byte)'"', .. var rest]) return null;
        rest = rest.TrimStart(" \t"u8);
        if (rest is not [(byte)':', .. var number]) return null;
        return Utf8Parser.TryParse(number.TrimStart(" \t"u8), out long pid, out _) ? pid : null;
    }

    private static IOException Failed(string path) => new($"{path}: {Marshal.GetLastPInvokeErrorMessage()}");
}
