// SPDX-License-Identifier: MPL-2.0
using System.Text;
using System.Text.Json;

namespace Nomadstack.Engine.Raft;

/// <summary>What a server's raft data says, read without the server. Nothing is written.</summary>
/// <param name="Last">The last entry's position, or the snapshot's.</param>
/// <param name="PeersIndex">The index of the configuration's entry; the snapshot's, if the entry is no longer in the log.</param>
internal sealed record RaftSummary(long Term, LogPosition Last, long PeersIndex, RaftConfiguration Peers)
{
    /// <summary>A server that runs begins a segment or takes a snapshot every few seconds at most.</summary>
    private const int MostAttempts = 20;

    /// <exception cref="RaftDamageException">Something is missing or damaged that had been acknowledged.</exception>
    /// <exception cref="InvalidDataException">A record in the log cannot be read.</exception>
    public static RaftSummary Read(string folder)
    {
        for (var attempt = 1; ; attempt++)
        {
            var before = Stamp(folder);
            try
            {
                using var storage = RaftStorage.Open(new RaftFolderView(folder), new RaftOptions(), out var found);
                return Of(found);
            }
            catch (Exception e) when (e is RaftDamageException or IOException && attempt < MostAttempts && Stamp(folder) != before)
            {
                // A server has written meanwhile: what looked damaged was of two moments.
            }
        }
    }

    /// <summary><c>{term,lastTerm,lastIndex,peersIndex,peers:[{id,address,voter}]}</c>; <c>lastIndex</c> is 0 where no raft is.</summary>
    public string ToJson()
    {
        using var text = new MemoryStream();
        using (var json = new Utf8JsonWriter(text))
        {
            json.WriteStartObject();
            json.WriteNumber("term", Term);
            json.WriteNumber("lastTerm", Last.Term);
            json.WriteNumber("lastIndex", Last.Index);
            json.WriteNumber("peersIndex", PeersIndex);
            json.WriteStartArray("peers");
            foreach (var server in Peers.Servers)
            {
                json.WriteStartObject();
                json.WriteString("id", server.Id);
                json.WriteString("address", server.Address);
                json.WriteBoolean("voter", server.Suffrage == Suffrage.Voter);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(text.ToArray());
    }

    private static RaftSummary Of(RecoveredState found)
    {
        var last = found.Entries is [.., var entry] ? new LogPosition(entry.Index, entry.Term) : found.Base;
        var configuration = found.Entries.LastOrDefault(e => e.Kind == EntryKind.Configuration);
        return new(
            Math.Max(found.HardState.Term, last.Term),
            last,
            configuration?.Index ?? found.Snapshot?.Position.Index ?? 0,
            configuration is not null ? RaftConfiguration.Decode(configuration.Payload) : found.Snapshot?.Configuration ?? RaftConfiguration.Empty);
    }

    /// <summary>Changes with whatever a server writes.</summary>
    private static string Stamp(string folder) => Directory.Exists(folder)
        ? string.Join('\n', new DirectoryInfo(folder).EnumerateFiles().Select(f => f.Exists ? $"{f.Name} {f.Length}" : f.Name).Order(StringComparer.Ordinal))
        : "";
}
