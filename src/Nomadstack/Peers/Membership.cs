// SPDX-License-Identifier: MPL-2.0
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
    private volatile ClusterDocument? _current;

    /// <summary>Raised after each change, local or merged, outside any lock, on the thread that changed it. Handlers must be quick and must not throw.</summary>
    public event Action? Changed;

    public NodeFile Node => node;

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

    /// <summary>Reads the file; once, at the agent's start.</summary>
    /// <exception cref="ProblemException"><c>storage/*</c>, or <c>peers/foreign-folder</c> when the file is another node's.</exception>
    public void Load()
    {
        lock (_gate)
        {
            var read = _file.Read();
            if (read is not null && !read.Nodes.ContainsKey(node.Id))
                throw new ProblemException(new("peers/foreign-folder", $"{paths.ClusterFile} does not know this node.", $"Its members do not include {node.Id}, the id in {paths.NodeFile}: one of the two files came from elsewhere.", "Put back the pair that belongs together, or move the data folder away and join this node anew.") { Unsafe = true });
            _current = read;
        }

        Changed?.Invoke();
    }

    /// <summary>Writes the first document of a new cluster. Repeating it with the same cluster id changes nothing.</summary>
    /// <exception cref="ProblemException"><c>peers/other-cluster</c>: this node belongs to one already.</exception>
    public void Create(ClusterDocument document) => Adopt(document);

    /// <summary>Takes the document received at a join; merged into what is there when it is of the same cluster.</summary>
    /// <exception cref="ProblemException"><c>peers/other-cluster</c>: this node belongs to another cluster.</exception>
    public void Adopt(ClusterDocument document)
    {
        if (!document.Nodes.ContainsKey(node.Id)) throw new ArgumentException("The document does not hold this node.", nameof(document));
        Change(current => current is null ? document : Merging.Merge(current, document));
    }

    /// <summary>Changes this node's own entry and raises its incarnation; does nothing when the entry stays the same or the node was removed.</summary>
    /// <returns>Whether anything changed.</returns>
    public bool UpdateSelf(Func<NodeEntry, NodeEntry> change) => Change(current =>
    {
        if (current is null || !current.Nodes.TryGetValue(node.Id, out var own) || own.Removed) return current;
        var next = change(own) with { Id = own.Id, Incarnation = own.Incarnation, Removed = false };
        return Merging.Compare(next, own) == 0 ? current : With(current, next with { Incarnation = own.Incarnation + 1 });
    });

    /// <summary>Mints a join token; every node knows its hash shortly after. The whole token exists only in the answer.</summary>
    public JoinToken CreateToken(TimeSpan? timeToLive)
    {
        var document = _current ?? throw new ProblemException(NoCluster());
        var token = JoinToken.Mint(document.CaPin);
        var now = time.GetUtcNow();
        AddToken(new TokenEntry { Id = token.Id, SecretHash = token.SecretHash, CreatedAt = now, ExpiresAt = timeToLive is { } ttl ? now + ttl : null });
        return token;
    }

    public void AddToken(TokenEntry token) => UpdateTokens(tokens => tokens[token.Id] = token);

    /// <exception cref="ProblemException"><c>token/unknown</c>.</exception>
    public void RevokeToken(string id) => UpdateTokens(tokens =>
    {
        if (!tokens.TryGetValue(id, out var token))
            throw new ProblemException(new("token/unknown", $"There is no token {id}.", "This node knows no token with that id.", "`nomadstack token list` shows the ids."));
        if (!token.Revoked) tokens[id] = token with { Revoked = true, Incarnation = token.Incarnation + 1 };
    });

    /// <summary>Changes the tokens; persisted only when they differ.</summary>
    public void UpdateTokens(Action<IDictionary<string, TokenEntry>> change) => Change(current =>
    {
        if (current is null) throw new ProblemException(NoCluster());
        var tokens = new Dictionary<string, TokenEntry>(current.Tokens);
        change(tokens);
        return tokens.Count == current.Tokens.Count && tokens.All(t => current.Tokens.GetValueOrDefault(t.Key) == t.Value)
            ? current
            : current with { Tokens = tokens };
    });

    /// <summary>Takes what a peer knows and we do not. The peer's document may hold part of the entries.</summary>
    /// <returns>Whether anything was new.</returns>
    /// <exception cref="ProblemException"><c>peers/other-cluster</c>, or <c>peers/bad-document</c>.</exception>
    public bool Merge(ClusterDocument remote)
    {
        if (MembershipRules.Complaint(remote) is { } complaint)
            throw new ProblemException(new("peers/bad-document", "A peer sent a membership that makes no sense.", $"In it, {complaint}.", "Run the same version of nomadstack on every node; if it is the same, report this as a bug."));
        return Change(current => current is null ? throw new ProblemException(NoCluster()) : Merging.Merge(current, remote));
    }

    /// <summary>Enters a node for the first time, or again after it was removed: the answer to a join.</summary>
    /// <param name="decide">Gets the membership under the lock; throws to refuse, or returns the entry to hold.</param>
    public NodeEntry Admit(Func<ClusterDocument, NodeEntry> decide)
    {
        NodeEntry? admitted = null;
        Change(current =>
        {
            admitted = decide(current ?? throw new ProblemException(NoCluster()));
            return current.Nodes.TryGetValue(admitted.Id, out var held) && Merging.Compare(held, admitted) == 0 ? current : With(current, admitted);
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
            return entry.Removed ? current : With(current, entry with { Removed = true, Servers = [], Incarnation = entry.Incarnation + RemovalStride });
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
            if (after.Schema != ClusterDocument.CurrentSchema) after = after with { Schema = ClusterDocument.CurrentSchema };
            _file.Write(after);
            _current = after;
        }

        Changed?.Invoke();
        return true;
    }

    private static ClusterDocument With(ClusterDocument document, NodeEntry entry) =>
        document with { Nodes = new Dictionary<string, NodeEntry>(document.Nodes) { [entry.Id] = entry } };

    public static Problem NoCluster() =>
        new("peers/no-cluster", "This node belongs to no cluster.", "Neither a bootstrap nor a join has finished here.", "Run `nomadstack bootstrap`, or start the agent with --join and a token.");
}
