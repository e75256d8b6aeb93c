// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using Nomadstack.HashiCorp.RaftData;
using Nomadstack.Products;
using Nomadstack.Tests.Products;

namespace Nomadstack.Tests.HashiCorp.RaftData;

/// <summary>A raft folder that a test fills.</summary>
internal sealed class RaftFolderOnDisk : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public string Path => _folder.Path;

    public RaftOnDisk Read() => RaftDataFolder.Read(Path, default);

    public string File(string name) => System.IO.Path.Combine(Path, name);

    public void Write(string name, byte[] content)
    {
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(File(name))!);
        System.IO.File.WriteAllBytes(File(name), content);
    }

    /// <summary>raft.db with these entries.</summary>
    public void WriteLog(params IEnumerable<(byte[] Key, byte[] Value)> entries) => Write("raft.db", new BoltBuilder().Bucket("conf", RaftRecords.Term(9)).Bucket("logs", entries).Build());

    /// <returns>The name of its folder.</returns>
    public string WriteSnapshot(long term, long index, long configurationIndex, IReadOnlyList<RaftPeer> peers, string suffix = "")
    {
        var name = $"{term}-{index}-1700000000000{suffix}";
        byte[] state = [.. "123456789"u8];
        var meta = JsonSerializer.Serialize(new
        {
            Version = 1,
            ID = name,
            Index = index,
            Term = term,
            Peers = "kA==",
            Configuration = new { Servers = peers.Select(p => new { Suffrage = p.Voter ? 0 : 1, ID = p.Id, p.Address }) },
            ConfigurationIndex = configurationIndex,
            Size = state.Length,
            // The known answer of this checksum for the nine digits (catalogue of CRCs, CRC-64/XZ).
            CRC = Convert.ToBase64String(Convert.FromHexString("995DC9BBDF1939FA")),
        });
        Write($"snapshots/{name}/meta.json", System.Text.Encoding.UTF8.GetBytes(meta));
        Write($"snapshots/{name}/state.bin", state);
        return name;
    }

    public void Dispose() => _folder.Dispose();
}
