// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Engine.Raft;

internal enum Suffrage : byte
{
    /// <summary>Receives the log and has no vote.</summary>
    NonVoter = 1,

    /// <summary>A non-voter that the leader promotes as soon as it has caught up.</summary>
    Staging = 2,

    Voter = 3,
}

/// <summary>A member of the raft. Its id stays, its address may change.</summary>
internal sealed record RaftServer(string Id, string Address, Suffrage Suffrage);

/// <summary>The membership, as one entry of the log holds it. Immutable; a change makes a new one that differs in one server.</summary>
internal sealed class RaftConfiguration(IEnumerable<RaftServer> servers) : IEquatable<RaftConfiguration>
{
    public static readonly RaftConfiguration Empty = new([]);

    public IReadOnlyList<RaftServer> Servers { get; } = [.. servers.OrderBy(s => s.Id, StringComparer.Ordinal)];

    public IEnumerable<RaftServer> Voters => Servers.Where(s => s.Suffrage == Suffrage.Voter);

    public RaftServer? Find(string id) => Servers.FirstOrDefault(s => s.Id == id);

    public bool IsVoter(string id) => Find(id) is { Suffrage: Suffrage.Voter };

    public RaftConfiguration With(RaftServer server) => new([.. Servers.Where(s => s.Id != server.Id), server]);

    public RaftConfiguration Without(string id) => new(Servers.Where(s => s.Id != id));

    /// <summary>The greatest value that a majority of the voters has reached; the least possible one without voters.</summary>
    public T ReachedByMajority<T>(Func<string, T> reached)
        where T : struct
    {
        var values = Voters.Select(v => reached(v.Id)).OrderDescending().ToList();
        return values.Count == 0 ? default : values[values.Count / 2];
    }

    /// <summary>Whether a majority of the voters has done something. Without voters nobody has.</summary>
    public bool HasMajority(Func<string, bool> done) => ReachedByMajority(id => done(id) ? 1 : 0) == 1;

    public byte[] Encode()
    {
        var writer = new WireWriter();
        Write(writer);
        return writer.ToArray();
    }

    public void Write(WireWriter writer)
    {
        writer.Int32(Servers.Count);
        foreach (var server in Servers)
        {
            writer.Text(server.Id);
            writer.Text(server.Address);
            writer.Byte((byte)server.Suffrage);
        }
    }

    public static RaftConfiguration Decode(ReadOnlyMemory<byte> bytes) => Read(new WireReader(bytes));

    public static RaftConfiguration Read(WireReader reader)
    {
        var servers = new List<RaftServer>();
        for (var left = reader.Int32(); left > 0; left--) servers.Add(new(reader.Text(), reader.Text(), (Suffrage)reader.Byte()));
        return new(servers);
    }

    public bool Equals(RaftConfiguration? other) => other is not null && Servers.SequenceEqual(other.Servers);

    public override bool Equals(object? obj) => Equals(obj as RaftConfiguration);

    public override int GetHashCode() => Servers.Aggregate(0, HashCode.Combine);

    public override string ToString() => $"[{string.Join(' ', Servers.Select(s => s.Suffrage == Suffrage.Voter ? s.Id : $"{s.Id}({s.Suffrage})"))}]";
}
