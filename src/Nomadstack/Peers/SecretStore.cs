// SPDX-License-Identifier: MPL-2.0
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Nomadstack.Cluster;
using Nomadstack.Storage;

namespace Nomadstack.Peers;

/// <summary>
/// The cluster's secrets on a server node, in <c>secrets/</c>. Each is sealed for the keys of the server nodes and for nobody else, also on this disk. A client
/// node has none. The highest version wins, as for settings. A deletion is a version.
/// </summary>
internal sealed class SecretStore(Membership membership)
{
    private const UnixFileMode OwnerFolder = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private readonly Lock _gate = new();
    private Dictionary<string, Held>? _held;
    private (ClusterDocument? Membership, string Digest) _sealedFor;

    /// <summary>Raised after each change, outside any lock. Handlers must be quick and must not throw.</summary>
    public event Action? Changed;

    /// <summary>Sorted names of all secrets, whether or not this node can open them yet.</summary>
    public IReadOnlyList<string> Names
    {
        get
        {
            lock (_gate) return [.. Loaded().Values.Where(h => !h.Secret.Deleted).Select(h => h.Secret.Name).Order(StringComparer.Ordinal)];
        }
    }

    /// <summary>Distinguishes two stores and reveals nothing of their content. Null on a node that has no secrets.</summary>
    public string? Digest
    {
        get
        {
            if (membership.Signer is not { IsServer: true }) return null;
            lock (_gate) return DigestOf(Loaded());
        }
    }

    /// <summary>The version for a compare-and-set; 0 if nobody has written it.</summary>
    public long Version(string name)
    {
        lock (_gate) return Loaded().GetValueOrDefault(name)?.Secret.Version ?? 0;
    }

    /// <summary>The value, or null if there is none or this node has no box for it yet.</summary>
    public byte[]? Open(string name)
    {
        lock (_gate)
        {
            if (Loaded().GetValueOrDefault(name) is not { Secret: { Deleted: false, Content: { } content } secret } held || KeyOf(held) is not { } key) return null;
            return SecretSealing.Open(ClusterId, secret.Name, secret.Version, content, key);
        }
    }

    /// <summary>Writes a secret; every server node has it shortly after.</summary>
    /// <param name="ifVersion">As in <see cref="Membership.Set(string, JsonElement, long?)"/>.</param>
    /// <exception cref="ProblemException"><c>secrets/*</c>, <c>storage/unwritable</c>.</exception>
    public void Put(string name, ReadOnlySpan<byte> value, long? ifVersion = null)
    {
        if (!MembershipRules.IsSettingName(name) || value.Length > SecretRules.MaxBytes)
            throw new ProblemException(SettingProblems.BadSecret(name, SecretRules.MaxBytes));
        lock (_gate)
        {
            var (signer, version) = Next(name, ifVersion);
            var (content, commit, key) = SecretSealing.Close(ClusterId, name, version, value);
            var secret = Sign(signer, new Secret { Name = name, Version = version, Writer = signer.NodeId, Content = content, Commit = commit });
            Keep(Boxed(new Held(secret, ElementOf(secret), new Dictionary<string, SecretBox>()), key));
            CryptographicOperations.ZeroMemory(key);
        }

        Changed?.Invoke();
    }

    /// <summary>Deletes a secret on every server node.</summary>
    /// <inheritdoc cref="Put"/>
    public void Delete(string name, long? ifVersion = null)
    {
        lock (_gate)
        {
            if (Loaded().GetValueOrDefault(name) is null or { Secret.Deleted: true }) return;
            var (signer, version) = Next(name, ifVersion);
            var secret = Sign(signer, new Secret { Name = name, Version = version, Writer = signer.NodeId, Deleted = true });
            Keep(new Held(secret, ElementOf(secret), new Dictionary<string, SecretBox>()));
        }

        Changed?.Invoke();
    }

    /// <summary>Makes boxes for server nodes that have none, and deletes those of nodes that are no longer server nodes. Costs nothing if neither membership nor secrets changed.</summary>
    public void Reseal()
    {
        if (membership.Signer is not { IsServer: true } || membership.Current is not { } document) return;
        var changed = false;
        lock (_gate)
        {
            var held = Loaded();
            if (ReferenceEquals(_sealedFor.Membership, document) && _sealedFor.Digest == DigestOf(held)) return;
            foreach (var secret in held.Values.Where(h => !h.Secret.Deleted).ToList())
            {
                var next = KeyOf(secret) is { } key ? Boxed(secret, key) : secret with { Boxes = Kept(secret.Boxes) };
                if (VersionOf(next) == VersionOf(secret)) continue;
                Keep(next);
                changed = true;
            }

            _sealedFor = (document, DigestOf(held));
        }

        if (changed) Changed?.Invoke();
    }

    /// <summary>Name and version of each secret; the version covers the boxes.</summary>
    public IReadOnlyDictionary<string, string> Versions()
    {
        lock (_gate) return Loaded().ToDictionary(h => h.Key, h => VersionOf(h.Value));
    }

    /// <summary>What a peer with these versions does not have, and what it has that this node does not have.</summary>
    public SecretsAnswer Compare(IReadOnlyDictionary<string, string> theirs)
    {
        lock (_gate)
        {
            List<string> newer = [], want = [];
            foreach (var (name, held) in Loaded())
            {
                var their = theirs.GetValueOrDefault(name);
                if (their == VersionOf(held)) continue;
                var order = held.Secret.Version.CompareTo(Digests.IncarnationOf(their));
                if (order >= 0) newer.Add(name);
                if (order <= 0) want.Add(name);
            }

            want.AddRange(theirs.Keys.Where(name => !_held!.ContainsKey(name)));
            return new SecretsAnswer(Part(newer), [.. want.Take(SecretRules.MaxSecrets)]);
        }
    }

    /// <summary>The secrets with these names, as many as fit into a message.</summary>
    public IReadOnlyList<SealedSecret> Part(IEnumerable<string> names)
    {
        lock (_gate)
        {
            var (part, bytes) = (new List<SealedSecret>(), 0);
            foreach (var held in names.Distinct().Select(n => Loaded().GetValueOrDefault(n)).OfType<Held>())
            {
                part.Add(held.Sealed);
                bytes += (held.Secret.Content?.Length ?? 0) * 2 + held.Boxes.Count * 320;
                if (bytes > SyncLimits.PartBytes) break;
            }

            return part;
        }
    }

    /// <summary>Takes what a server node sent.</summary>
    /// <returns>Whether anything was new.</returns>
    public bool Merge(IEnumerable<SealedSecret> remote, string sender)
    {
        List<RefusedEntry> refused = [];
        var news = false;
        foreach (var given in remote.Take(SecretRules.MaxSecrets))
        {
            var (secret, why) = SecretRules.Read(given);
            why ??= membership.Judge is not { } judge ? "this node has no CA to check its signature with"
                : secret!.Signed!.By != secret.Writer ? "it was not signed by the node that wrote it"
                : judge.OfServer(Signed.Secret, CanonicalJson.Of(given.Secret, "signed"), secret.Signed);
            if (why is null) news |= Take(secret!, given);
            else refused.Add(new RefusedEntry("x:" + secret?.Name, secret?.Name ?? "a secret", why));
        }

        if (refused.Count > 0) membership.Refusals.Note(sender, membership.Current?.Nodes.GetValueOrDefault(sender)?.Name ?? sender, refused);
        if (news) Changed?.Invoke();
        return news;
    }

    private bool Take(Secret secret, SealedSecret given)
    {
        lock (_gate)
        {
            var held = Loaded().GetValueOrDefault(secret.Name);
            if (held is null && _held!.Count >= SecretRules.MaxSecrets) return false;
            var order = held is null ? 1 : secret.Version.CompareTo(held.Secret.Version);
            if (order == 0) order = string.CompareOrdinal(PayloadOf(given.Secret), PayloadOf(held!.Element));
            if (order < 0) return false;
            var next = order > 0 ? new Held(secret, given.Secret.Clone(), Kept(given.Boxes)) : held! with { Boxes = Kept(Union(held.Boxes, given.Boxes)) };
            if (held is not null && VersionOf(next) == VersionOf(held)) return false;
            Keep(next);
            return true;
        }
    }

    private (NodeSigner Signer, long Version) Next(string name, long? ifVersion)
    {
        if (membership.Current is null) throw new ProblemException(PeerProblems.NoCluster());
        if (membership.Signer is not { IsServer: true } signer)
            throw new ProblemException(SettingProblems.NoSecretsHere(name));
        var held = Loaded().GetValueOrDefault(name);
        if (ifVersion is { } seen && seen != (held?.Secret.Version ?? 0))
            throw new ProblemException(SettingProblems.SecretChanged(name, seen, held?.Secret.Version ?? 0));
        if (held is null && Loaded().Count >= SecretRules.MaxSecrets)
            throw new ProblemException(SettingProblems.TooManySecrets(SecretRules.MaxSecrets));
        return (signer, (held?.Secret.Version ?? 0) + 1);
    }

    private Held Boxed(Held held, byte[] key)
    {
        var boxes = Kept(held.Boxes);
        foreach (var (id, signature) in Servers())
        {
            var pin = Certificates.Pin(signature.Key);
            if (boxes.GetValueOrDefault(id)?.Pin != pin) boxes[id] = new SecretBox(pin, SecretSealing.Box(ClusterId, held.Secret.Name, held.Secret.Version, id, signature.Key, key));
        }

        return held with { Boxes = boxes };
    }

    /// <summary>Node ids and keys of the nodes that may open secrets: certified as server nodes and not removed.</summary>
    private IEnumerable<(string Id, EntrySignature Signature)> Servers() =>
        membership.Current!.Nodes.Values.Where(SecretDesk.IsServer).Select(n => (n.Id, n.Signed!));

    /// <summary>The boxes without those of known nodes that may not have one. An unknown node may be a server node that has just joined.</summary>
    private Dictionary<string, SecretBox> Kept(IReadOnlyDictionary<string, SecretBox> boxes) =>
        boxes.Where(b => membership.Current!.Nodes.GetValueOrDefault(b.Key) is not { } node || node is { Removed: false, IsServer: true }).ToDictionary();

    private Dictionary<string, SecretBox> Union(IReadOnlyDictionary<string, SecretBox> ours, IReadOnlyDictionary<string, SecretBox> theirs)
    {
        var all = new Dictionary<string, SecretBox>(ours);
        foreach (var (id, their) in theirs)
        {
            if (!all.TryGetValue(id, out var our))
            {
                all[id] = their;
                continue;
            }

            // A box for the node's present key. Of two such boxes, every node picks the same one.
            var pin = membership.Current!.Nodes.GetValueOrDefault(id)?.KeyPin;
            var order = (their.Pin == pin).CompareTo(our.Pin == pin);
            if (order > 0 || (order == 0 && their.Key.AsSpan().SequenceCompareTo(our.Key) > 0)) all[id] = their;
        }

        return all;
    }

    private byte[]? KeyOf(Held held)
    {
        if (membership.Signer is not { IsServer: true } signer || held.Secret.Commit is not { } commit || held.Boxes.GetValueOrDefault(signer.NodeId) is not { } box || box.Pin != signer.KeyPin) return null;
        try
        {
            using var own = signer.ForAgreement();
            var key = SecretSealing.Unbox(ClusterId, held.Secret.Name, held.Secret.Version, signer.NodeId, own, box.Key);
            return SecretSealing.Fits(ClusterId, held.Secret.Name, held.Secret.Version, key, commit) ? key : null;
        }
        catch (CryptographicException)
        {
            // The box is not for this key, so it is useless until the secret is written again.
            return null;
        }
    }

    private void Keep(Held held)
    {
        var folder = membership.Paths.Secrets;
        DurableFolders.Create(folder, OwnerFolder);

        var file = FileOf(held.Secret.Name);
        file.Write(held.Sealed);
        // The replaced secret must not stay on disk.
        File.Delete(file.Path + ".previous");
        Loaded()[held.Secret.Name] = held;
    }

    private Dictionary<string, Held> Loaded()
    {
        if (_held is not null) return _held;
        var all = new Dictionary<string, Held>();
        foreach (var path in Directory.Exists(membership.Paths.Secrets) ? Directory.GetFiles(membership.Paths.Secrets, "*.json") : [])
        {
            try
            {
                if (FileOf(Path.GetFileNameWithoutExtension(path)).Read() is { } given && SecretRules.Read(given).Secret is { } secret) all[secret.Name] = new Held(secret, given.Secret, new Dictionary<string, SecretBox>(given.Boxes));
            }
            catch (ProblemException e) when (e.Problem.Code == "storage/torn")
            {
                // The other server nodes have it. The damaged file is kept for an operator.
                File.Move(path, path + ".damaged", overwrite: true);
                membership.Refusals.Tell("", path, e.Problem with { Fix = $"The file was renamed to {path}.damaged. The other server nodes send the secret again. Check the disk." });
            }
        }

        return _held = all;
    }

    private DurableFile<SealedSecret> FileOf(string name) =>
        new(Path.Combine(membership.Paths.Secrets, name + ".json"), SealedSecret.CurrentSchema, SecretsJson.Default.SealedSecret, given => SecretRules.Read(given) is var (secret, why) && secret is not null && secret.Name != name ? "it contains a secret with another name" : why);

    private string ClusterId => membership.Current!.ClusterId;

    private static Secret Sign(NodeSigner signer, Secret secret) =>
        secret with { Signed = signer.Sign(Signed.Secret, CanonicalJson.Of(JsonSerializer.SerializeToUtf8Bytes(secret, SecretsJson.Default.Secret))) };

    private static JsonElement ElementOf(Secret secret) => JsonSerializer.SerializeToElement(secret, SecretsJson.Default.Secret);

    private static string PayloadOf(JsonElement secret) => Convert.ToHexStringLower(CanonicalJson.Of(secret));

    private static string VersionOf(Held held) =>
        $"{held.Secret.Version}:{Hash(CanonicalJson.Of(held.Element))}:{Hash(Encoding.UTF8.GetBytes(string.Join('\n', held.Boxes.OrderBy(b => b.Key, StringComparer.Ordinal).Select(b => $"{b.Key} {b.Value.Pin} {Convert.ToHexStringLower(b.Value.Key)}"))))}";

    private static string DigestOf(Dictionary<string, Held> held) =>
        Hash(Encoding.UTF8.GetBytes(string.Join('\n', held.OrderBy(h => h.Key, StringComparer.Ordinal).Select(h => $"{h.Key} {VersionOf(h.Value)}"))));

    private static string Hash(ReadOnlySpan<byte> bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes).AsSpan(0, 8));

    private sealed record Held(Secret Secret, JsonElement Element, Dictionary<string, SecretBox> Boxes)
    {
        public SealedSecret Sealed => new() { Secret = Element, Boxes = Boxes };
    }
}
