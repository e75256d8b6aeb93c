// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using Nomadstack.Peers;
using Nomadstack.Storage;

namespace Nomadstack.Tests.Peers;

/// <summary>A node of a <see cref="Members"/>: its folder, its keys and its membership, and no network.</summary>
internal sealed class Member(string name, string address)
{
    public NodeFile File { get; } = new() { Id = Guid.NewGuid().ToString(), Name = name, Address = address };

    public NodePaths Paths { get; } = new(Directory.CreateTempSubdirectory("nomadstack-member-").FullName);

    public Membership Membership { get; set; } = null!;

    public string Id => File.Id;

    public ClusterDocument Now => Membership.Current!;

    public SyncDesk Desk => new(Membership);

    public NodeEntry Entry => new() { Id = Id, Name = File.Name, Address = File.Address, Ports = new() { Peers = 4640 }, Version = "0.2.0", Kind = NodeKind.Server };

    /// <summary>One exchange with another of ours, as over the wire.</summary>
    public Task MeetAsync(Member other) => Exchange.RunAsync(Membership, other.Id, null, request => Task.FromResult(Wire(other.Desk.Answer(Wire(request), Id))));

    /// <summary>One exchange with an agent of release 0.1.0 that this node begins.</summary>
    public Task MeetAsync(ReleasedAgent other) => Exchange.RunAsync(Membership, other.Id, null, request => Task.FromResult(other.Answer(request)));

    private static SyncRequest Wire(SyncRequest request) => JsonSerializer.Deserialize(JsonSerializer.Serialize(request, PeersJson.Default.SyncRequest), PeersJson.Default.SyncRequest)!;

    private static SyncAnswer Wire(SyncAnswer answer) => JsonSerializer.Deserialize(JsonSerializer.Serialize(answer, PeersJson.Default.SyncAnswer), PeersJson.Default.SyncAnswer)!;
}

/// <summary>A cluster of nodes that meet when a test says so. All have real keys of one CA.</summary>
internal sealed class Members : IDisposable
{
    private readonly List<Member> _all = [];
    private readonly List<IDisposable> _keys = [];

    public Member First()
    {
        var member = New();
        var clusterId = Guid.NewGuid().ToString();
        var pki = Pki.Mint(member.Paths, clusterId, member.File, TimeProvider.System);
        _keys.Add(pki);
        member.Membership.Create(new ClusterDocument { ClusterId = clusterId, CreatedAt = DateTimeOffset.UnixEpoch.AddYears(56), CaPin = pki.CaPin, Nodes = new Dictionary<string, NodeEntry> { [member.Id] = member.Entry with { KeyPin = pki.KeyPin } } });
        return member;
    }

    /// <summary>Another node, let in by a member.</summary>
    public Member Joined(Member via, string kind = NodeKind.Server)
    {
        var member = New();
        var pin = GiveKeys(member, kind);
        via.Membership.Admit(_ => member.Entry with { KeyPin = pin, Kind = kind });
        member.Membership.Adopt(Wire(via.Now));
        member.Membership.UpdateSelf(e => e);
        return member;
    }

    /// <summary>Another node, let in by an agent of release 0.1.0.</summary>
    public Member Joined(ReleasedAgent via)
    {
        var member = New();
        var pin = GiveKeys(member, NodeKind.Server);
        via.Nodes[member.Id] = System.Text.Json.Nodes.JsonNode.Parse(JsonSerializer.Serialize(member.Entry with { KeyPin = pin }, PeersJson.Default.NodeEntry));
        member.Membership.Adopt(JsonSerializer.Deserialize(via.File, PeersJson.Default.ClusterDocument)! with { Tokens = new Dictionary<string, TokenEntry>() });
        member.Membership.UpdateSelf(e => e);
        return member;
    }

    /// <summary>An agent of release 0.1.0, let in by a member.</summary>
    public static ReleasedAgent Released(Member via)
    {
        var id = Guid.NewGuid().ToString();
        via.Membership.Admit(_ => new NodeEntry { Id = id, Name = "old" + id[..4], Address = $"10.1.0.{via.Now.Nodes.Count}", Ports = new() { Peers = 4640 }, KeyPin = new string('c', 64), Version = "0.1.0" });
        return new ReleasedAgent(id).With(via.Now with { Tokens = new Dictionary<string, TokenEntry>() });
    }

    public Member New()
    {
        var member = new Member($"n{_all.Count + 1}", $"10.0.0.{_all.Count + 1}");
        member.Membership = new Membership(member.Paths, member.File, TimeProvider.System);
        _all.Add(member);
        return member;
    }

    /// <summary>The CA, a key of its own and the CA's word for it; the pin of the key.</summary>
    public string GiveKeys(Member member, string kind)
    {
        foreach (var (from, to) in new[] { (PkiFiles.CaCertificate(_all[0].Paths), PkiFiles.CaCertificate(member.Paths)), (PkiFiles.CaKey(_all[0].Paths), PkiFiles.CaKey(member.Paths)) })
            PkiFiles.Write(to, PkiFiles.Read(from)!);
        using var key = Pki.EnsureNodeKey(member.Paths, out _);
        using var caKey = Pki.ParseKey(PkiFiles.CaKey(member.Paths));
        var publicKey = key.ExportSubjectPublicKeyInfo();
        NodeSigner.WriteProof(member.Paths, kind, NodeSigner.Prove(caKey, _all[0].Now.ClusterId, member.Id, kind, publicKey));
        return Certificates.Pin(publicKey);
    }

    public static ClusterDocument Wire(ClusterDocument document) => JsonSerializer.Deserialize(JsonSerializer.Serialize(document, PeersJson.Default.ClusterDocument), PeersJson.Default.ClusterDocument)!;

    public void Dispose()
    {
        foreach (var key in _keys) key.Dispose();
        foreach (var member in _all) Directory.Delete(member.Paths.Data, recursive: true);
    }
}
