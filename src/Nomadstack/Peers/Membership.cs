// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using Nomadstack.Cluster;
using Nomadstack.Storage;

namespace Nomadstack.Peers;

/// <summary>
/// The only owner of <c>cluster.json</c>. Readers get immutable snapshots and never wait. A change is on disk
/// before anyone sees it, so after a power cut this node still knows everything that it ever sent.
/// </summary>
internal sealed class Membership(NodePaths paths, NodeFile node, TimeProvider time)
{
    /// <summary>How much a removal raises the incarnation: more than the removed node can raise its own before it learns of the removal.</summary>
    private const long RemovalStride = 1L << 32;

    private readonly Lock _gate = new();
    private readonly DurableFile<ClusterDocument> _file = FileAt(paths);
    private readonly DurableFile<QuarantineFile> _quarantine = new(paths.Quarantine, QuarantineFile.CurrentSchema, QuarantineJson.Default.QuarantineFile);
    private volatile ClusterDocument? _current;
    private NodeSigner? _signer;
    private SignatureJudge? _judge;

    /// <summary>Raised after each local or merged change, outside any lock, on the thread of the change. Handlers must be quick and must not throw.</summary>
    public event Action? Changed;

    public NodeFile Node => node;

    public NodePaths Paths => paths;

    /// <summary>The membership now, or null while this node is not a member of a cluster.</summary>
    public ClusterDocument? Current => _current;

    /// <summary>Waits until the membership is no longer <paramref name="seen"/>, or the time is over. Returns whether it has changed.</summary>
    public async Task<bool> ChangedSinceAsync(ClusterDocument? seen, TimeSpan atMost, CancellationToken cancel)
    {
        var changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        void Wake() => changed.TrySetResult();
        Changed += Wake;
        try
        {
            if (!ReferenceEquals(seen, Current)) return true;
            await changed.Task.WaitAsync(atMost, time, cancel);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
        finally
        {
            Changed -= Wake;
        }
    }

    /// <summary>The membership on disk, for whoever looks without being the agent. Null if there is none.</summary>
    /// <exception cref="ProblemException"><c>storage/*</c>.</exception>
    public static ClusterDocument? OnDisk(NodePaths paths) => FileAt(paths).Read();

    private static DurableFile<ClusterDocument> FileAt(NodePaths paths) => new(paths.ClusterFile, ClusterDocument.CurrentSchema, ReadablePeersJson.ClusterDocument, MembershipRules.Complaint);

    /// <summary>This node's own entry, or null while it is not a member of a cluster.</summary>
    public NodeEntry? Self => _current?.Nodes.GetValueOrDefault(node.Id);

    /// <summary>Members other than this node, the removed ones left out.</summary>
    public IEnumerable<NodeEntry> Others => _current is { } now ? now.Nodes.Values.Where(e => e.Id != node.Id && !e.Removed) : [];

    /// <summary>What peers sent and this node refused.</summary>
    public Refusals Refusals { get; } = new();

    /// <summary>Entries in the file that the present rules refuse; moved to <see cref="NodePaths.Quarantine"/>.</summary>
    public IReadOnlyList<RefusedEntry> Quarantined { get; private set; } = [];

    /// <summary>The settings now; null while this node is not a member of a cluster.</summary>
    public ClusterSettings? Settings => _current?.Settings;

    /// <summary>This node's key and the CA's proof for it, or null before a bootstrap or join.</summary>
    internal NodeSigner? Signer
    {
        get
        {
            lock (_gate) return _signer ??= NodeSigner.TryLoad(paths, node.Id);
        }
    }

    /// <summary>Whether this node may only speak for itself, and has no secrets of the cluster.</summary>
    public bool IsClientNode => Signer is { IsServer: false };

    internal SignatureJudge? Judge
    {
        get
        {
            lock (_gate) return _judge ??= SignatureJudge.TryLoad(paths);
        }
    }

    /// <summary>Reads the file once, at the agent's start. An entry that breaks the rules is moved aside, so that one bad entry does not stop the agent.</summary>
    /// <exception cref="ProblemException"><c>storage/*</c>, or <c>peers/foreign-folder</c> if the file belongs to another node.</exception>
    public void Load()
    {
        lock (_gate)
        {
            var read = _file.Read();
            if (read?.Refused.FirstOrDefault(r => r.Key == Digests.NodeKey(node.Id)) is { } own)
                throw new ProblemException(PeerProblems.OwnEntryTorn(paths.ClusterFile, own.Why));
            if (read is not null && !read.Nodes.ContainsKey(node.Id))
                throw new ProblemException(PeerProblems.ForeignFolder(paths.ClusterFile, node.Id, paths.NodeFile));
            if (read is not null)
            {
                if (read.Refused.Count > 0) PutAside(read.Refused);
                // After an upgrade from release 0.1.0, carried entries are among the tokens.
                var (plain, carried) = Carriers.Split(read with { Refused = [] });
                read = carried is null ? plain : Merging.Merge(plain, Acceptance.Verified(carried, plain, Judge, []));
            }

            _current = read;
        }

        Changed?.Invoke();
    }

    /// <summary>Writes the first document of a new cluster. Repeating this with the same cluster id changes nothing.</summary>
    /// <exception cref="ProblemException"><c>peers/other-cluster</c>: this node belongs to one already.</exception>
    public void Create(ClusterDocument document) => Adopt(Signer is { } signer && document.Nodes.TryGetValue(node.Id, out var own) ? With(document, signer.Sign(own)) : document);

    /// <summary>
    /// Writes the document of a cluster that is made anew from an archive: the same identity with this node as its only member. The nodes of the archive are removed, and what only rises goes
    /// so far ahead that nothing a survivor may bring wins.
    /// </summary>
    /// <param name="archived">The membership in the archive.</param>
    /// <param name="stride">How far.</param>
    /// <param name="products">Those whose raft data, wherever it is, is of the past.</param>
    public void CreateRestored(ClusterDocument archived, NodeEntry self, int stride, IReadOnlyList<string> products)
    {
        ForgetKeys();
        var signer = Signer ?? throw new ProblemException(PeerProblems.NoCluster());
        var registers = new Dictionary<string, Setting>(archived.Registers);
        foreach (var product in products)
        {
            var name = SettingNames.RecoveryEpoch(product);
            var value = JsonSerializer.SerializeToElement(archived.Settings.RecoveryEpoch(product) + stride, PeersJson.Default.Int32);
            registers[name] = signer.Sign(new Setting { Name = name, Value = value, Version = archived.Settings.Version(name) + stride, Writer = node.Id });
        }

        var nodes = archived.Nodes.Values.Where(n => n.Id != node.Id).ToDictionary(n => n.Id, n => n.Removed ? n : Gone(n));
        nodes[self.Id] = self;
        var clean = archived with { Nodes = nodes, Registers = registers, Refused = [], Schema = ClusterDocument.CurrentSchema };
        Change(current => current ?? With(clean, signer.Sign(self with { Kind = signer.Kind, Signed = null })));
    }

    /// <summary>Takes the document received at a join. If this node already has one of the same cluster, both are merged.</summary>
    /// <exception cref="ProblemException"><c>peers/other-cluster</c>: this node belongs to another cluster.</exception>
    public void Adopt(ClusterDocument document)
    {
        if (!document.Nodes.ContainsKey(node.Id)) throw new ArgumentException("The document does not contain this node.", nameof(document));
        // The key and CA of a former cluster may have been replaced.
        ForgetKeys();
        List<RefusedEntry> refused = [];
        var (plain, carried) = Carriers.Split(document);
        List<ClusterDocument> parts = [.. new[] { carried, plain }.OfType<ClusterDocument>().Select(part => Acceptance.Verified(part, null, Judge, refused))];
        if (!parts[^1].Nodes.ContainsKey(node.Id)) parts[^1] = With(parts[^1], document.Nodes[node.Id] with { Signed = null });
        Change(current => parts.Aggregate(current, (now, part) => now is null ? part : Merging.Merge(now, part)));
    }

    /// <summary>Changes this node's own entry and raises its incarnation. Does nothing if the entry stays the same or the node was removed.</summary>
    /// <returns>Whether anything changed.</returns>
    public bool UpdateSelf(Func<NodeEntry, NodeEntry> change) => Change(current =>
    {
        if (current is null || !current.Nodes.TryGetValue(node.Id, out var own) || own.Removed) return current;
        var signer = Signer;
        var next = change(own) with { Id = own.Id, Incarnation = own.Incarnation, Removed = false, Kind = signer?.Kind ?? own.Kind, KeyPin = signer?.KeyPin ?? own.KeyPin, AdmittedAt = null, Signed = null };
        var signed = signer is null || own.Signed?.By == own.Id;
        if (signed && Entries.SayTheSame(next, own)) return current;
        next = next with { Incarnation = own.Incarnation + 1 };
        return With(current, signer?.Sign(next) ?? next);
    });

    /// <summary>Signs the unsigned entries of agents of release 0.1.0 that a server node may sign.</summary>
    public void Vouch() => Change(current => current is null ? null : Acceptance.Vouched(current, Signer));

    /// <summary>Writes a setting; every node knows it shortly after. Writing the same value changes nothing.</summary>
    /// <param name="ifVersion"><see cref="ClusterSettings.Version"/> at the time of the decision: if somebody else has written since, this write is refused. Null to write in any case.</param>
    /// <remarks>If two nodes write the same version within the same second, both succeed. One of the two writes remains, the same on all nodes. A caller that must know reads the setting again.</remarks>
    /// <exception cref="ProblemException"><c>settings/*</c>, <c>peers/no-cluster</c>.</exception>
    public Setting Set(string name, JsonElement value, long? ifVersion = null) => Write(name, value, ifVersion);

    /// <inheritdoc cref="Set(string, JsonElement, long?)"/>
    public Setting Set(string name, string value, long? ifVersion = null) => Write(name, JsonSerializer.SerializeToElement(value, PeersJson.Default.String), ifVersion);

    /// <inheritdoc cref="Set(string, JsonElement, long?)"/>
    public Setting Set(string name, int value, long? ifVersion = null) => Write(name, JsonSerializer.SerializeToElement(value, PeersJson.Default.Int32), ifVersion);

    /// <inheritdoc cref="Set(string, JsonElement, long?)"/>
    public Setting Set(string name, IReadOnlyList<string> value, long? ifVersion = null) => Write(name, JsonSerializer.SerializeToElement(value, PeersJson.Default.Texts), ifVersion);

    /// <summary>Deletes a setting: it has its first value again, or none.</summary>
    /// <inheritdoc cref="Set(string, JsonElement, long?)"/>
    public Setting Unset(string name, long? ifVersion = null) => Write(name, null, ifVersion);

    private Setting Write(string name, JsonElement? value, long? ifVersion)
    {
        if (SettingRules.Complaint(name, value) is { } complaint) throw new ProblemException(SettingProblems.BadValue(name, complaint));
        Setting? written = null;
        Change(current =>
        {
            var now = current ?? throw new ProblemException(PeerProblems.NoCluster());
            var held = now.Registers.GetValueOrDefault(name);
            if (ifVersion is { } seen && seen != (held?.Version ?? 0))
                throw new ProblemException(SettingProblems.Changed(name, seen, held?.Version ?? 0, held?.Writer ?? "none"));
            if (held is not null && (value is { } v ? !held.Deleted && held.Value is { } h && JsonElement.DeepEquals(v, h) : held.Deleted))
            {
                written = held;
                return current;
            }

            if (held is null && now.Registers.Count >= MembershipRules.MaxSettings)
                throw new ProblemException(SettingProblems.TooMany(MembershipRules.MaxSettings));
            if (Signer is not { IsServer: true } signer)
                throw new ProblemException(SettingProblems.NotAServerNode(name));
            written = signer.Sign(new Setting { Name = name, Value = value, Deleted = value is null, Version = (held?.Version ?? 0) + 1, Writer = node.Id });
            return now with { Registers = new Dictionary<string, Setting>(now.Registers) { [name] = written } };
        });
        return written!;
    }

    /// <summary>Makes a join token; every node knows its hash shortly after. Only the return value contains the whole token.</summary>
    /// <param name="uses">How many nodes it lets in; null for any number.</param>
    /// <param name="client">Whether it lets them in as client nodes.</param>
    public JoinToken CreateToken(TimeSpan? timeToLive, int? uses = null, bool client = false)
    {
        var document = _current ?? throw new ProblemException(PeerProblems.NoCluster());
        var token = JoinToken.Mint(document.CaPin);
        var now = time.GetUtcNow();
        AddToken(new TokenEntry { Id = token.Id, SecretHash = token.SecretHash, CreatedAt = now, ExpiresAt = timeToLive is { } ttl ? now + ttl : null, Uses = uses, Kind = client ? NodeKind.Client : null });
        return token;
    }

    public void AddToken(TokenEntry token) => UpdateTokens(tokens => tokens[token.Id] = token);

    /// <exception cref="ProblemException"><c>token/unknown</c>.</exception>
    public void RevokeToken(string id) => UpdateTokens(tokens =>
    {
        if (!tokens.TryGetValue(id, out var token))
            throw new ProblemException(PeerProblems.TokenUnknown(id));
        // One without an end, as release 0.1.0 made them, is remembered as long as a removal is: until then an agent may come back that knows it unrevoked.
        if (!token.Revoked) tokens[id] = token with { Revoked = true, Incarnation = token.Incarnation + 1, ExpiresAt = token.ExpiresAt ?? time.GetUtcNow() + Pruning.RemovedKept };
    });

    /// <summary>Forgets tokens that are long over and nodes that were removed long ago.</summary>
    /// <returns>Whether anything changed.</returns>
    public bool Prune() => Change(current => current is null ? null : Pruning.Of(WithoutLost(Dated(current)), time.GetUtcNow(), node.Id, IsMixed(current)));

    /// <summary>Removals that release 0.1.0 wrote down without their time begin to grow old today.</summary>
    private ClusterDocument Dated(ClusterDocument document)
    {
        if (IsMixed(document) || Signer is not { IsServer: true } signer) return document;
        return document.Nodes.Values.Where(n => n is { Removed: true, RemovedAt: null }).ToList()
            .Aggregate(document, (now, removed) => With(now, signer.Sign(removed with { RemovedAt = time.GetUtcNow(), Incarnation = removed.Incarnation + 1, Signed = null })));
    }

    /// <summary>Nodes that were let in long ago and never came are removed, as an operator would.</summary>
    private ClusterDocument WithoutLost(ClusterDocument document) =>
        IsClientNode ? document
        : document.Nodes.Values.Where(n => n.Id != node.Id && Provisional.IsLost(n, time.GetUtcNow())).ToList().Aggregate(document, (now, lost) => With(now, Gone(lost)));

    /// <summary>The entry that remembers the removal of a node.</summary>
    private NodeEntry Gone(NodeEntry entry)
    {
        var removed = entry with { Removed = true, RemovedAt = time.GetUtcNow(), Servers = [], Incarnation = entry.Incarnation + RemovalStride, AdmittedAt = null, Signed = null };
        return Signer is { IsServer: true } signer ? signer.Sign(removed) : removed;
    }

    private static bool IsMixed(ClusterDocument document) => document.Nodes.Values.Any(n => n.IsReleased);

    /// <summary>Changes the tokens; written only if they differ.</summary>
    public void UpdateTokens(Action<IDictionary<string, TokenEntry>> change) => Change(current =>
    {
        if (current is null) throw new ProblemException(PeerProblems.NoCluster());
        var tokens = new Dictionary<string, TokenEntry>(current.Tokens);
        change(tokens);
        var changed = tokens.Values.Where(t => current.Tokens.GetValueOrDefault(t.Id) is not { } held || Entries.Hash(held) != Entries.Hash(t)).ToList();
        if (changed.Count == 0 && tokens.Count == current.Tokens.Count) return current;
        if (IsClientNode) throw new ProblemException(TokenProblems.OnAClientNode());
        if (Signer is { IsServer: true } signer)
            foreach (var token in changed) tokens[token.Id] = signer.Sign(token);
        return current with { Tokens = tokens };
    });

    /// <summary>Takes what a peer knows and this node does not. The peer's document may contain only some entries. Entries that break the rules or have a wrong signature are refused and reported.</summary>
    /// <param name="sender">Node id of the peer, from its certificate; null if the document is this node's own.</param>
    /// <returns>Whether anything was new.</returns>
    /// <exception cref="ProblemException"><c>peers/other-cluster</c>, or <c>peers/bad-document</c>.</exception>
    public bool Merge(ClusterDocument remote, string? sender = null)
    {
        if (MembershipRules.Complaint(remote) is { } complaint)
            throw new ProblemException(PeerProblems.BadDocument(complaint));
        var held = _current ?? throw new ProblemException(PeerProblems.NoCluster());
        if (held.ClusterId != remote.ClusterId || held.CaPin != remote.CaPin) throw new ProblemException(PeerProblems.OtherCluster(held.ClusterId, remote.ClusterId));

        var (plain, carried) = Carriers.Split(remote);
        List<RefusedEntry> refused = [.. plain.Refused, .. carried?.Refused ?? []];
        // Outside the lock: checking signatures takes time and depends on nothing else. Carried entries come first, since they are more complete than the plain copies.
        var parts = new[] { carried, plain }.OfType<ClusterDocument>().Select(part => Acceptance.Verified(part, held, Judge, refused)).ToList();
        var changed = Change(current =>
        {
            var now = current ?? throw new ProblemException(PeerProblems.NoCluster());
            var today = time.GetUtcNow();
            foreach (var part in parts) now = Merging.Merge(now, Pruning.Of(Acceptance.Admissible(part, now, sender, refused), today, node.Id, IsMixed(now)));
            return ReferenceEquals(now, current) ? current : Acceptance.Vouched(now, Signer);
        });
        if (refused.Count > 0) Refusals.Note(sender ?? "", sender is null ? "somebody" : held.Nodes.GetValueOrDefault(sender)?.Name ?? sender, refused);
        return changed;
    }

    /// <summary>Adds a node for the first time, or again after it was removed: the answer to a join.</summary>
    /// <param name="decide">Called with the membership, under the lock. Returns the entry to add, or throws to refuse.</param>
    /// <param name="instead">Called first: nodes that never came and that this one takes the place of. They are removed.</param>
    public NodeEntry Admit(Func<ClusterDocument, NodeEntry> decide, Func<ClusterDocument, IEnumerable<NodeEntry>>? instead = null)
    {
        NodeEntry? admitted = null;
        Change(current =>
        {
            var now = current ?? throw new ProblemException(PeerProblems.NoCluster());
            if (instead is not null) now = instead(now).ToList().Aggregate(now, (without, lost) => With(without, Gone(lost)));
            admitted = decide(now);
            if (now.Nodes.TryGetValue(admitted.Id, out var held) && ReferenceEquals(held, admitted)) return now;
            if (held is null && now.Nodes.Count >= MembershipRules.MaxNodes)
                throw new ProblemException(JoinProblems.Full(MembershipRules.MaxNodes));
            admitted = Signer is { IsServer: true } signer ? signer.Sign(admitted) : admitted with { Signed = null };
            return With(now, admitted);
        });
        return admitted!;
    }

    /// <summary>Removes a node for good. From then on all nodes refuse its certificate; its entry stays to record that.</summary>
    /// <exception cref="ProblemException"><c>node/unknown</c>, or <c>node/self</c>.</exception>
    public void RemoveNode(string nodeId)
    {
        if (nodeId == node.Id)
            throw new ProblemException(PeerProblems.RemovesItself());
        Change(current =>
        {
            if (current is null) throw new ProblemException(PeerProblems.NoCluster());
            if (!current.Nodes.TryGetValue(nodeId, out var entry))
                throw new ProblemException(PeerProblems.UnknownNode(nodeId));
            if (entry.Removed) return current;
            return With(current, Gone(entry));
        });
    }

    /// <summary>Writes down that peers said this node was removed: from then on it starts nothing. Repeatable.</summary>
    public void AcceptRemoval() => Change(current => current is null || !current.Nodes.TryGetValue(node.Id, out var own) || own.Removed
        ? current
        : With(current, own with { Removed = true, Servers = [], Incarnation = own.Incarnation + RemovalStride, Signed = null }));

    /// <summary>Undoes a bootstrap that failed: this node belongs to no cluster again. Keys are moved to <c>retired/</c>, not deleted.</summary>
    public Task ForgetAsync()
    {
        lock (_gate)
        {
            // The document first: without it, pki/ is only an unfinished start that may be repeated.
            _file.Delete();
            _current = null;
            ForgetKeys();
            Retirement.Retire(paths, paths.Pki, "pki", time.GetUtcNow());
        }

        Changed?.Invoke();
        return Task.CompletedTask;
    }

    private bool Change(Func<ClusterDocument?, ClusterDocument?> change)
    {
        lock (_gate)
        {
            var before = _current;
            var after = change(before);
            if (after is null || ReferenceEquals(before, after)) return false;
            // The schema is that of our file: a document from a newer peer must not make our file unreadable to us.
            if (after.Schema != ClusterDocument.CurrentSchema || after.Refused.Count > 0) after = after with { Schema = ClusterDocument.CurrentSchema, Refused = [] };
            _file.Write(after);
            _current = after;
        }

        Changed?.Invoke();
        return true;
    }

    private void ForgetKeys()
    {
        lock (_gate)
        {
            _signer?.Dispose();
            (_signer, _judge) = (null, null);
        }
    }

    /// <summary>Saves the refused entries before the file is written without them.</summary>
    private void PutAside(IReadOnlyList<RefusedEntry> refused)
    {
        var now = time.GetUtcNow();
        IReadOnlyList<QuarantinedEntry> before = [];
        try
        {
            before = _quarantine.Read()?.Entries ?? [];
        }
        catch (ProblemException e) when (e.Problem.Code == "storage/torn")
        {
            // The next write keeps the damaged file as the previous version, for an operator. The agent starts in any case.
        }

        var added = refused.Where(r => !before.Any(b => b.Key == r.Key && b.Why == r.Why)).Select(r => new QuarantinedEntry(r.Key, r.Name, r.Why, now, r.Entry));
        _quarantine.Write(new QuarantineFile { Entries = [.. before.Concat(added).TakeLast(QuarantineFile.Most)] });
        Quarantined = refused;
    }

    private static ClusterDocument With(ClusterDocument document, NodeEntry entry) =>
        document with { Nodes = new Dictionary<string, NodeEntry>(document.Nodes) { [entry.Id] = entry } };
}
