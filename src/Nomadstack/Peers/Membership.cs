// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using Nomadstack.Cluster;
using Nomadstack.Storage;

namespace Nomadstack.Peers;

/// <summary>
/// The one owner of <c>cluster.json</c>. Readers get immutable snapshots and never wait; a change is on the disk
/// before anyone sees it, so what this node ever said of itself it still knows after a power cut.
/// </summary>
internal sealed class Membership(NodePaths paths, NodeFile node, TimeProvider time)
{
    /// <summary>How far a removal raises the incarnation: more than a node that has not heard of it yet can raise its own.</summary>
    private const long RemovalStride = 1L << 32;

    private readonly Lock _gate = new();
    private readonly DurableFile<ClusterDocument> _file = new(paths.ClusterFile, ClusterDocument.CurrentSchema, ReadablePeersJson.ClusterDocument, MembershipRules.Complaint);
    private readonly DurableFile<QuarantineFile> _quarantine = new(paths.Quarantine, QuarantineFile.CurrentSchema, QuarantineJson.Default.QuarantineFile);
    private volatile ClusterDocument? _current;
    private NodeSigner? _signer;
    private SignatureJudge? _judge;

    /// <summary>Raised after each change, local or merged, outside any lock, on the thread that changed it. Handlers must be quick and must not throw.</summary>
    public event Action? Changed;

    public NodeFile Node => node;

    public NodePaths Paths => paths;

    /// <summary>The membership now, or null while this node belongs to no cluster.</summary>
    public ClusterDocument? Current => _current;

    /// <summary>Waits until the membership is another than <paramref name="seen"/>, at most so long. Returns whether it is.</summary>
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

    /// <summary>This node's own entry, or null while it belongs to no cluster.</summary>
    public NodeEntry? Self => _current?.Nodes.GetValueOrDefault(node.Id);

    /// <summary>Members other than this node, the removed ones left out.</summary>
    public IEnumerable<NodeEntry> Others => _current is { } now ? now.Nodes.Values.Where(e => e.Id != node.Id && !e.Removed) : [];

    /// <summary>What peers sent and this node did not take.</summary>
    public Refusals Refusals { get; } = new();

    /// <summary>Entries that the file held and today's rules refuse; put aside in <see cref="NodePaths.Quarantine"/>.</summary>
    public IReadOnlyList<RefusedEntry> Quarantined { get; private set; } = [];

    /// <summary>The settings now; null while this node belongs to no cluster.</summary>
    public ClusterSettings? Settings => _current?.Settings;

    /// <summary>This node's key and the CA's word for it, or null before a bootstrap or join.</summary>
    internal NodeSigner? Signer
    {
        get
        {
            lock (_gate) return _signer ??= NodeSigner.TryLoad(paths, node.Id);
        }
    }

    internal SignatureJudge? Judge
    {
        get
        {
            lock (_gate) return _judge ??= SignatureJudge.TryLoad(paths);
        }
    }

    /// <summary>Reads the file; once, at the agent's start. An entry that is not fit is put aside, so that one bad entry keeps no agent from starting.</summary>
    /// <exception cref="ProblemException"><c>storage/*</c>, or <c>peers/foreign-folder</c> when the file is another node's.</exception>
    public void Load()
    {
        lock (_gate)
        {
            var read = _file.Read();
            if (read?.Refused.FirstOrDefault(r => r.Key == Digests.NodeKey(node.Id)) is { } own)
                throw new ProblemException(new("storage/torn", $"{paths.ClusterFile} is damaged or not ours.", $"In this node's own entry, {own.Why}.", $"Compare it with {paths.ClusterFile}.previous, the version before; if that one is right, copy it over and start the agent again."));
            if (read is not null && !read.Nodes.ContainsKey(node.Id))
                throw new ProblemException(new("peers/foreign-folder", $"{paths.ClusterFile} does not know this node.", $"Its members do not include {node.Id}, the id in {paths.NodeFile}: one of the two files came from elsewhere.", "Put back the pair that belongs together, or move the data folder away and join this node anew.") { Unsafe = true });
            if (read is not null)
            {
                if (read.Refused.Count > 0) PutAside(read.Refused);
                // What agents of release 0.1.0 carried for others is among the tokens of one that was upgraded.
                var (plain, carried) = Carriers.Split(read with { Refused = [] });
                read = carried is null ? plain : Merging.Merge(plain, Acceptance.Verified(carried, plain, Judge, []));
            }

            _current = read;
        }

        Changed?.Invoke();
    }

    /// <summary>Writes the first document of a new cluster. Repeating it with the same cluster id changes nothing.</summary>
    /// <exception cref="ProblemException"><c>peers/other-cluster</c>: this node belongs to one already.</exception>
    public void Create(ClusterDocument document) => Adopt(Signer is { } signer && document.Nodes.TryGetValue(node.Id, out var own) ? With(document, signer.Sign(own)) : document);

    /// <summary>Takes the document received at a join; merged into what is there when it is of the same cluster.</summary>
    /// <exception cref="ProblemException"><c>peers/other-cluster</c>: this node belongs to another cluster.</exception>
    public void Adopt(ClusterDocument document)
    {
        if (!document.Nodes.ContainsKey(node.Id)) throw new ArgumentException("The document does not hold this node.", nameof(document));
        // A former cluster's key and CA may have been replaced.
        ForgetKeys();
        List<RefusedEntry> refused = [];
        var (plain, carried) = Carriers.Split(document);
        List<ClusterDocument> parts = [.. new[] { carried, plain }.OfType<ClusterDocument>().Select(part => Acceptance.Verified(part, null, Judge, refused))];
        if (!parts[^1].Nodes.ContainsKey(node.Id)) parts[^1] = With(parts[^1], document.Nodes[node.Id] with { Signed = null });
        Change(current => parts.Aggregate(current, (now, part) => now is null ? part : Merging.Merge(now, part)));
    }

    /// <summary>Changes this node's own entry and raises its incarnation; does nothing when the entry stays the same or the node was removed.</summary>
    /// <returns>Whether anything changed.</returns>
    public bool UpdateSelf(Func<NodeEntry, NodeEntry> change) => Change(current =>
    {
        if (current is null || !current.Nodes.TryGetValue(node.Id, out var own) || own.Removed) return current;
        var signer = Signer;
        var next = change(own) with { Id = own.Id, Incarnation = own.Incarnation, Removed = false, Kind = signer?.Kind ?? own.Kind, KeyPin = signer?.KeyPin ?? own.KeyPin, Signed = null };
        var signed = signer is null || own.Signed?.By == own.Id;
        if (signed && Entries.SayTheSame(next, own)) return current;
        next = next with { Incarnation = own.Incarnation + 1 };
        return With(current, signer?.Sign(next) ?? next);
    });

    /// <summary>Signs what was taken unsigned from agents of release 0.1.0 and a server node can vouch for.</summary>
    public void Vouch() => Change(current => current is null ? null : Acceptance.Vouched(current, Signer));

    /// <summary>Writes a setting; every node knows it shortly after. Writing what it says already changes nothing.</summary>
    /// <param name="ifVersion">What <see cref="ClusterSettings.Version"/> said when the decision was made: if another writing came in between, this one is refused. Null to win anyway.</param>
    /// <remarks>Two nodes that write the same version within the second it takes to spread both succeed, and one of the two writings remains, the same everywhere: whoever must know looks again.</remarks>
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
        if (SettingRules.Complaint(name, value) is { } complaint) throw new ProblemException(new("settings/bad-value", $"The setting {name} cannot be written.", complaint, "Write a value of the kind the setting has."));
        Setting? written = null;
        Change(current =>
        {
            var now = current ?? throw new ProblemException(NoCluster());
            var held = now.Registers.GetValueOrDefault(name);
            if (ifVersion is { } seen && seen != (held?.Version ?? 0))
                throw new ProblemException(new("settings/changed", $"The setting {name} was changed by another.", $"Its version was {seen} when this was decided and is {held?.Version ?? 0} now, written by node {held?.Writer ?? "none"}.", "Read it again and decide anew."));
            if (held is not null && (value is { } v ? !held.Deleted && held.Value is { } h && JsonElement.DeepEquals(v, h) : held.Deleted))
            {
                written = held;
                return current;
            }

            if (held is null && now.Registers.Count >= MembershipRules.MaxSettings)
                throw new ProblemException(new("settings/too-many", $"There are {MembershipRules.MaxSettings} settings already.", "A cluster keeps no more, deleted ones included.", "Write to one of those that exist."));
            if (Signer is not { IsServer: true } signer)
                throw new ProblemException(new("settings/not-a-server-node", $"This node cannot write the setting {name}.", "Settings are written by server nodes alone, and this one has no key that was certified for it.", "Run the command on a server node.") { Unsafe = true });
            written = signer.Sign(new Setting { Name = name, Value = value, Deleted = value is null, Version = (held?.Version ?? 0) + 1, Writer = node.Id });
            return now with { Registers = new Dictionary<string, Setting>(now.Registers) { [name] = written } };
        });
        return written!;
    }

    /// <summary>Mints a join token; every node knows its hash shortly after. The whole token exists only in the answer.</summary>
    /// <param name="uses">How many nodes it lets in; null for any number.</param>
    public JoinToken CreateToken(TimeSpan? timeToLive, int? uses = null)
    {
        var document = _current ?? throw new ProblemException(NoCluster());
        var token = JoinToken.Mint(document.CaPin);
        var now = time.GetUtcNow();
        AddToken(new TokenEntry { Id = token.Id, SecretHash = token.SecretHash, CreatedAt = now, ExpiresAt = timeToLive is { } ttl ? now + ttl : null, Uses = uses });
        return token;
    }

    public void AddToken(TokenEntry token) => UpdateTokens(tokens => tokens[token.Id] = token);

    /// <exception cref="ProblemException"><c>token/unknown</c>.</exception>
    public void RevokeToken(string id) => UpdateTokens(tokens =>
    {
        if (!tokens.TryGetValue(id, out var token))
            throw new ProblemException(new("token/unknown", $"There is no token {id}.", "This node knows no token with that id.", "`nomadstack token list` shows the ids."));
        // One without an end, as release 0.1.0 made them, is remembered as long as a removal is: until then an agent may come back that knows it unrevoked.
        if (!token.Revoked) tokens[id] = token with { Revoked = true, Incarnation = token.Incarnation + 1, ExpiresAt = token.ExpiresAt ?? time.GetUtcNow() + Pruning.RemovedKept };
    });

    /// <summary>Forgets tokens that are long over and nodes that were removed long ago.</summary>
    /// <returns>Whether anything changed.</returns>
    public bool Prune() => Change(current => current is null ? null : Pruning.Of(Dated(current), time.GetUtcNow(), node.Id, IsMixed(current)));

    /// <summary>Removals that release 0.1.0 wrote down without their time begin to grow old today.</summary>
    private ClusterDocument Dated(ClusterDocument document)
    {
        if (IsMixed(document) || Signer is not { IsServer: true } signer) return document;
        return document.Nodes.Values.Where(n => n is { Removed: true, RemovedAt: null }).ToList()
            .Aggregate(document, (now, removed) => With(now, signer.Sign(removed with { RemovedAt = time.GetUtcNow(), Incarnation = removed.Incarnation + 1, Signed = null })));
    }

    private static bool IsMixed(ClusterDocument document) => document.Nodes.Values.Any(n => n.IsReleased);

    /// <summary>Changes the tokens; persisted only when they differ.</summary>
    public void UpdateTokens(Action<IDictionary<string, TokenEntry>> change) => Change(current =>
    {
        if (current is null) throw new ProblemException(NoCluster());
        var tokens = new Dictionary<string, TokenEntry>(current.Tokens);
        change(tokens);
        var changed = tokens.Values.Where(t => current.Tokens.GetValueOrDefault(t.Id) is not { } held || Entries.Hash(held) != Entries.Hash(t)).ToList();
        if (changed.Count == 0 && tokens.Count == current.Tokens.Count) return current;
        if (Signer is { IsServer: true } signer)
            foreach (var token in changed) tokens[token.Id] = signer.Sign(token);
        return current with { Tokens = tokens };
    });

    /// <summary>Takes what a peer knows and we do not. The peer's document may hold part of the entries. What is not fit or not signed rightly is left out and told.</summary>
    /// <param name="sender">Node id of the peer, from its certificate; null when the document is this node's own affair.</param>
    /// <returns>Whether anything was new.</returns>
    /// <exception cref="ProblemException"><c>peers/other-cluster</c>, or <c>peers/bad-document</c>.</exception>
    public bool Merge(ClusterDocument remote, string? sender = null)
    {
        if (MembershipRules.Complaint(remote) is { } complaint)
            throw new ProblemException(new("peers/bad-document", "A peer sent a membership that makes no sense.", $"In it, {complaint}.", "Run the same version of nomadstack on every node; if it is the same, report this as a bug."));
        var held = _current ?? throw new ProblemException(NoCluster());
        if (held.ClusterId != remote.ClusterId || held.CaPin != remote.CaPin) throw new ProblemException(Merging.OtherCluster(held.ClusterId, remote.ClusterId));

        var (plain, carried) = Carriers.Split(remote);
        List<RefusedEntry> refused = [.. plain.Refused, .. carried?.Refused ?? []];
        // Outside the lock: signatures take time, and hold or do not whatever else is known. What was carried comes first, for the copies beside it lack what it has.
        var parts = new[] { carried, plain }.OfType<ClusterDocument>().Select(part => Acceptance.Verified(part, held, Judge, refused)).ToList();
        var changed = Change(current =>
        {
            var now = current ?? throw new ProblemException(NoCluster());
            var today = time.GetUtcNow();
            foreach (var part in parts) now = Merging.Merge(now, Pruning.Of(Acceptance.Admissible(part, now, sender, refused), today, node.Id, IsMixed(now)));
            return ReferenceEquals(now, current) ? current : Acceptance.Vouched(now, Signer);
        });
        if (refused.Count > 0) Refusals.Note(sender ?? "", sender is null ? "somebody" : held.Nodes.GetValueOrDefault(sender)?.Name ?? sender, refused);
        return changed;
    }

    /// <summary>Enters a node for the first time, or again after it was removed: the answer to a join.</summary>
    /// <param name="decide">Gets the membership under the lock; throws to refuse, or returns the entry to hold.</param>
    public NodeEntry Admit(Func<ClusterDocument, NodeEntry> decide)
    {
        NodeEntry? admitted = null;
        Change(current =>
        {
            var now = current ?? throw new ProblemException(NoCluster());
            admitted = decide(now);
            if (now.Nodes.TryGetValue(admitted.Id, out var held) && ReferenceEquals(held, admitted)) return current;
            if (held is null && now.Nodes.Count >= MembershipRules.MaxNodes)
                throw new ProblemException(new("join/full", "The cluster takes no more nodes.", $"It remembers {MembershipRules.MaxNodes} of them, removed ones included.", "Make a second cluster."));
            admitted = Signer is { IsServer: true } signer ? signer.Sign(admitted) : admitted with { Signed = null };
            return With(now, admitted);
        });
        return admitted!;
    }

    /// <summary>Removes a node for good: its certificate is refused everywhere from then on, and its entry stays as the memory of that.</summary>
    /// <exception cref="ProblemException"><c>node/unknown</c>, or <c>node/self</c>.</exception>
    public void RemoveNode(string nodeId)
    {
        if (nodeId == node.Id)
            throw new ProblemException(new("node/self", "A node cannot remove itself.", "The membership must be changed by a node that stays in it.", "Run the command on another node.") { Unsafe = true });
        Change(current =>
        {
            if (current is null) throw new ProblemException(NoCluster());
            if (!current.Nodes.TryGetValue(nodeId, out var entry))
                throw new ProblemException(new("node/unknown", $"There is no node {nodeId}.", "The membership holds no node with that id.", "`nomadstack node list` shows the nodes."));
            if (entry.Removed) return current;
            var removed = entry with { Removed = true, RemovedAt = time.GetUtcNow(), Servers = [], Incarnation = entry.Incarnation + RemovalStride, Signed = null };
            return With(current, Signer is { IsServer: true } signer ? signer.Sign(removed) : removed);
        });
    }

    /// <summary>Undoes a bootstrap that failed: this node belongs to no cluster again. Keys are moved to <c>retired/</c>, not deleted.</summary>
    public Task ForgetAsync()
    {
        lock (_gate)
        {
            // The document first: without it, what remains in pki/ is an unfinished start that may be repeated.
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
            // The schema is of our file; a document from a newer peer must not make it unreadable to us.
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

    /// <summary>Keeps what is left out, before the file without it is ever written.</summary>
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
            // Writing keeps it as the version before, for the person it is meant for; no agent stays down for it.
        }

        var added = refused.Where(r => !before.Any(b => b.Key == r.Key && b.Why == r.Why)).Select(r => new QuarantinedEntry(r.Key, r.Name, r.Why, now, r.Entry));
        _quarantine.Write(new QuarantineFile { Entries = [.. before.Concat(added).TakeLast(QuarantineFile.Most)] });
        Quarantined = refused;
    }

    private static ClusterDocument With(ClusterDocument document, NodeEntry entry) =>
        document with { Nodes = new Dictionary<string, NodeEntry>(document.Nodes) { [entry.Id] = entry } };

    public static Problem NoCluster() =>
        new("peers/no-cluster", "This node belongs to no cluster.", "Neither a bootstrap nor a join has finished here.", "Run `nomadstack bootstrap`, or start the agent with --join and a token.");
}
