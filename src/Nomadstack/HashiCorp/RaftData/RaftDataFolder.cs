// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Products;

namespace Nomadstack.HashiCorp.RaftData;

/// <summary>The <c>raft</c> folder of a server, as hashicorp/raft would find it at its next start. Its server may run or not; nothing is written and nothing locked.</summary>
internal static class RaftDataFolder
{
    private const string WalFolder = "wal";

    /// <summary>What may be in a raft folder without any data: <c>version</c> is Nomad's since 1.3.</summary>
    private static readonly string[] s_withoutData = [BoltLog.FileName, "peers.info", "peers.json", "version"];

    /// <summary>A server takes a snapshot each minute at most, and replaces entries only under a new leader.</summary>
    private const int MostAttempts = 20;

    private const string OneIsWhole = "Keep the one that the server used last and move the other one away.";

    /// <summary>Whether a log of raft-wal is in this raft folder.</summary>
    public static bool HasWal(string raft) => File.Exists(WalMeta(raft));

    public static string Wal(string raft) => Path.Combine(raft, WalFolder);

    /// <exception cref="OperationCanceledException"><paramref name="cancel"/>. Nothing else is thrown.</exception>
    public static RaftOnDisk Read(string raft, CancellationToken cancel)
    {
        try
        {
            for (var attempt = 1; attempt <= MostAttempts; attempt++)
            {
                cancel.ThrowIfCancellationRequested();
                if (Attempt(raft, cancel) is { } found) return found;
            }

            return RaftOnDisk.Unreadable("Its server writes to it faster than it can be read.");
        }
        catch (Exception e) when (e is RaftDataException or IOException or UnauthorizedAccessException)
        {
            return RaftOnDisk.Unreadable(e.Message);
        }
    }

    /// <summary>Null if something was written meanwhile.</summary>
    private static RaftOnDisk? Attempt(string raft, CancellationToken cancel)
    {
        if (!Directory.Exists(raft)) return RaftOnDisk.Blank;
        var (bolt, wal) = (Path.Combine(raft, BoltLog.FileName), WalMeta(raft));
        if (File.Exists(bolt) && File.Exists(wal))
            return RaftOnDisk.Unreadable($"Both {BoltLog.FileName} and {WalFolder}/{WalLog.MetaFile} are there: a migration between them was interrupted. {OneIsWhole}");
        if (!File.Exists(wal) && Directory.Exists(Wal(raft)) && Directory.EnumerateFiles(Wal(raft), "*.wal").Any())
            return RaftOnDisk.Unreadable($"{WalFolder}/ has segments and no {WalLog.MetaFile}.");

        var names = RaftSnapshot.Names(raft);
        var damage = new List<string>();
        var snapshot = RaftSnapshot.Newest(raft, names, damage, cancel);
        var log = ReadLog(raft, bolt, wal, snapshot?.Last.Index ?? 0, cancel);
        // A snapshot that was taken meanwhile may have taken entries out of the log.
        if (log is null || !names.SequenceEqual(RaftSnapshot.Names(raft))) return null;
        var sum = Sum(log, snapshot, damage);
        return sum.State == RaftDataState.Blank && Unknown(raft) is { } file
            ? RaftOnDisk.Unreadable($"There is no log, and {file} is none of the files of a server that never had one.")
            : sum;
    }

    /// <summary>Another program's log, or one that was moved aside, must not look like none.</summary>
    private static string? Unknown(string raft) =>
        Directory.EnumerateFiles(raft).Select(f => Path.GetFileName(f)).FirstOrDefault(f => !s_withoutData.Contains(f) && !f.EndsWith(".tmp", StringComparison.Ordinal));

    private static RaftLogView? ReadLog(string raft, string bolt, string wal, long after, CancellationToken cancel)
    {
        if (!File.Exists(bolt) && !File.Exists(wal)) return RaftLogView.Empty;
        using var file = DiskFile.Open(File.Exists(bolt) ? bolt : wal);
        return file.Name == BoltLog.FileName ? BoltLog.Read(file, after, cancel) : WalLog.Read(file, Wal(raft), after, cancel);
    }

    private static string WalMeta(string raft) => Path.Combine(Wal(raft), WalLog.MetaFile);

    private static RaftOnDisk Sum(RaftLogView log, RaftSnapshot? snapshot, List<string> damage)
    {
        var covered = snapshot?.Last ?? default;
        var passedOver = damage.Count > 0 ? $" Snapshots that cannot be used: {string.Join("; ", damage)}." : "";
        if (snapshot is null && damage.Count > 0) return RaftOnDisk.Unreadable($"None of its snapshots can be used: {string.Join("; ", damage)}.");
        var ends = snapshot is null ? "there is no snapshot" : $"its snapshot ends with entry {covered.Index}";
        if (log.First > covered.Index + 1) return RaftOnDisk.Unreadable($"Its log begins with entry {log.First}, and {ends}.{passedOver}");
        // raft itself decides by the index: a log that ends before its snapshot was overtaken by one of the leader's (raft, state.go, getLastEntry).
        var last = log.Last.Index >= covered.Index ? log.Last : covered;
        if (last.Index == 0) return RaftOnDisk.Blank with { Term = log.Term };
        var configuration = log.Configuration ?? snapshot?.Configuration ?? new RaftPeers(0, []);
        return new(RaftDataState.Present, Math.Max(log.Term, last.Term), last.Term, last.Index, configuration.Index, configuration.Peers);
    }
}
