// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Nomadstack.Engine.Configuration;
using Nomadstack.Engine.Raft;

namespace Nomadstack.Engine.Server;

/// <summary>This server's raft: its identity, its folder, how it began. The node runs once it is known whether this server begins a cluster or waits to be taken in.</summary>
internal sealed class RaftHost(AgentConfig config, IRaftSecurity security, ServerState state, TimeProvider time, ILogger log) : IAsyncDisposable
{
    private const string TornWrite =
        "The raft log ended with {Bytes} bytes of a write that was not finished, or was damaged; they were removed. "
        + "After a power cut this is usual, and nobody was told that the write had succeeded. "
        + "Without one the disk is damaged, and this server's newest changes may be lost: compare it with the others";

    private readonly string _folder = Path.Combine(config.DataDir, "server");
    private readonly TaskCompletionSource<RaftNode> _started = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TcpRaftTransport? _transport;

    /// <summary>Null until this server knows how it begins.</summary>
    public RaftNode? Node { get; private set; }

    public Task<RaftNode> Started => _started.Task;

    /// <summary>The raft id: what stands in <c>server/node-id</c>, written at the first start.</summary>
    public string Id { get; private set; } = "";

    /// <summary>Whether the folder holds the log of a raft.</summary>
    public bool InRaft { get; private set; }

    private RaftOptions Options { get; } = new()
    {
        Heartbeat = TimeSpan.FromMilliseconds(100) * config.Server!.RaftMultiplier,
        ElectionTimeout = TimeSpan.FromMilliseconds(500) * config.Server!.RaftMultiplier,
    };

    private RaftFolder Files => new(Path.Combine(_folder, "raft"));

    /// <summary>Reads the identity, and does what a peers.json asks for.</summary>
    /// <exception cref="ConfigException">The peers.json cannot be used; it stays.</exception>
    public void Open()
    {
        Directory.CreateDirectory(_folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        Id = ReadOrMakeId(Path.Combine(_folder, "node-id"));
        Recover(Path.Combine(_folder, "raft"));
        using var storage = RaftStorage.Open(Files, Options, out var recovered);
        if (storage.Log.TornBytes > 0) log.LogWarning(TornWrite, storage.Log.TornBytes);
        InRaft = !recovered.IsBlank;
    }

    /// <summary>Begins a cluster of these servers; every one of them that does so begins with the same entry.</summary>
    public void Bootstrap(IEnumerable<RaftServer> servers)
    {
        RaftStorage.Bootstrap(Files, new RaftConfiguration(servers), Options);
        InRaft = true;
        Start();
    }

    public void Start()
    {
        _transport = new TcpRaftTransport(Id, config.Advertise.Rpc, time, log, security);
        Node = RaftNode.Start(Id, Files, Options, state, _transport, time, log);
        _started.TrySetResult(Node);
    }

    /// <summary>Another server's raft has connected.</summary>
    public Task ServeAsync(Stream stream, string? from, CancellationToken cancel) => _transport is { } transport && Node is not null ? transport.ServeAsync(stream, from, cancel) : Task.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        if (Node is { } node) await node.DisposeAsync();
    }

    private static string ReadOrMakeId(string file)
    {
        if (File.Exists(file) && File.ReadAllText(file).Trim() is { Length: > 0 } id) return id.ToLowerInvariant();
        var made = Guid.NewGuid().ToString();
        var unfinished = file + ".tmp";
        using (var stream = new FileStream(unfinished, new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite }))
        {
            stream.Write(System.Text.Encoding.ASCII.GetBytes(made));
            stream.Flush(flushToDisk: true);
        }

        File.Move(unfinished, file, overwrite: true);
        return made;
    }

    /// <summary>As Nomad: a peers.json counts only where a peers.info stands beside it, which the first start of a server leaves there.</summary>
    private void Recover(string raft)
    {
        Directory.CreateDirectory(raft, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var (peers, info) = (Path.Combine(raft, "peers.json"), Path.Combine(raft, "peers.info"));
        if (!File.Exists(info))
        {
            File.Delete(peers);
            File.WriteAllText(info, PeersInfo);
            return;
        }

        if (!File.Exists(peers)) return;
        try
        {
            RaftStorage.ForceConfiguration(Files, ReadPeers(File.ReadAllText(peers)), Options);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
            throw new ConfigException([$"recovery failed: {peers}: {e.Message}"]);
        }

        File.Delete(peers);
        log.LogInformation("The raft configuration was recovered from {File}; the file is now deleted", peers);
    }

    private static RaftConfiguration ReadPeers(string json)
    {
        using var parsed = JsonDocument.Parse(json);
        var servers = parsed.RootElement.EnumerateArray().Select(peer => new RaftServer(
            peer.GetProperty("id").GetString() ?? "",
            peer.GetProperty("address").GetString() ?? "",
            peer.TryGetProperty("non_voter", out var nonVoter) && nonVoter.GetBoolean() ? Suffrage.NonVoter : Suffrage.Voter)).ToList();
        if (servers.All(s => s.Suffrage != Suffrage.Voter)) throw new FormatException("no voter is in the list");
        if (servers.Any(s => s.Id.Length == 0 || s.Address.Length == 0)) throw new FormatException("a server has no id or no address");
        if (servers.Select(s => s.Id).Distinct().Count() < servers.Count || servers.Select(s => s.Address).Distinct().Count() < servers.Count) throw new FormatException("an id or an address is there twice");
        return new RaftConfiguration(servers);
    }

    private const string PeersInfo =
        """
        When the server starts, it reads peers.json from this folder, replaces the raft configuration by it, and deletes the file. Use it only for a
        cluster that has lost its majority for good: stop all servers, write the same file on each remaining server, and start them:

        [{"id": "<server/node-id>", "address": "<ip>:<rpc port>", "non_voter": false}]

        This file must stay: without it a peers.json is deleted unread.
        """;
}
