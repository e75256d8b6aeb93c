// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Nomadstack.Cluster;
using Nomadstack.Peers;

namespace Nomadstack.Security;

/// <summary>A product whose agents on this node may have older files or tokens than there are.</summary>
/// <param name="Since">An agent that started later has read them.</param>
/// <param name="Digest">Of what there is.</param>
/// <param name="Before">Of what they have read; null where nobody wrote that down.</param>
internal sealed record DueReload(Product Product, DateTimeOffset Since, string Digest, string? Before)
{
    /// <summary>Whether something in the agents' configurations is new, and not only certificates.</summary>
    public bool HasNewSecrets => Before is null || Before.Split('-')[^1] != Digest.Split('-')[^1];
}

/// <summary>
/// What closes the cluster's products to strangers, on this node: authorities, the node's certificates, gossip keys and tokens. Authorities are settings, for everybody may know them;
/// everything else is in the secrets of the server nodes.
/// </summary>
internal sealed class ClusterTrust
{
    private readonly Membership _membership;
    private readonly SecretStore _secrets;
    private readonly ProductTable _table;
    private readonly TimeProvider _time;
    private readonly Lock _gate = new();
    private readonly Dictionary<string, (string Authorities, Credentials Credentials)> _loaded = [];
    private readonly Dictionary<string, (long Version, string? Value)> _opened = [];

    public ClusterTrust(Membership membership, SecretStore secrets, ProductTable table, TimeProvider time)
    {
        (_membership, _secrets, _table, _time) = (membership, secrets, table, time);
        secrets.Changed += Forget;
    }

    public SecretStore Secrets => _secrets;

    /// <summary>Whether this node has no secrets of the cluster, and gets from server nodes what lets it in.</summary>
    public bool IsGiven => _membership.IsClientNode;

    private ClientGrants Grants => field ??= new(_membership.Paths, _membership.Node, _time);

    /// <summary>Whether the cluster was made closed or open on purpose. An undecided one is of release 0.1.0, or not yet made, and open.</summary>
    public bool IsDecided => Setting is not null;

    public bool IsSecure => Phase is SettingNames.Secure or SettingNames.Closing;

    /// <summary>One of the phases in <see cref="SettingNames"/>.</summary>
    public string Phase => Setting ?? SettingNames.Plain;

    /// <summary>Nodes get their certificates, before the cluster is closed or while it is.</summary>
    private bool HasCertificates => IsSecure || Phase == SettingNames.Preparing;

    /// <summary>Makes everything that a closed cluster needs, and then says that it is closed. Repeatable: what an interrupted run made is used.</summary>
    /// <exception cref="ProblemException"><c>secrets/*</c>, <c>settings/*</c>, <c>storage/unwritable</c>.</exception>
    public void Mint(bool secure)
    {
        if (IsDecided) return;
        if (secure) MintAll();
        Enter(secure ? SettingNames.Secure : SettingNames.Plain);
    }

    /// <summary>Makes everything that a closed cluster needs, and makes every node get its certificates. The agents stay open.</summary>
    /// <exception cref="ProblemException"><c>secrets/*</c>, <c>settings/*</c>, <c>storage/unwritable</c>.</exception>
    public void Prepare()
    {
        MintAll();
        Enter(SettingNames.Preparing);
    }

    public void Enter(string phase) => _membership.Set(SettingNames.SecurityPhase, phase);

    private void MintAll()
    {
        foreach (var product in Closed) Mint(product);
    }

    /// <summary>Whether a product's agents are closed.</summary>
    public bool Closes(Product product) => IsSecure && product.Security is not null;

    /// <summary>This node's credentials for a product; null where its agents are open.</summary>
    /// <exception cref="ProblemException"><c>security/no-credentials</c>, <c>storage/unwritable</c>.</exception>
    public Credentials? Of(Product product) =>
        !Closes(product) ? null : Find(product) ?? throw new ProblemException(SecurityProblems.NoCredentials(product));

    /// <summary>The same; also null while a node that has just joined does not have them.</summary>
    public Credentials? Find(Product product)
    {
        if (!Closes(product)) return null;
        lock (_gate)
        {
            return _loaded.TryGetValue(product.Name, out var loaded) && loaded.Authorities == Authorities(product) ? loaded.Credentials
                // The setting can be here before the secret with which the new authority signs.
                : Load(product) ?? loaded.Credentials;
        }
    }

    /// <summary>The first product for which this node has no certificate and cannot make one; null if none.</summary>
    public Product? Lacks()
    {
        if (!IsSecure) return null;
        lock (_gate) return Closed.FirstOrDefault(p => !_loaded.ContainsKey(p.Name) && Load(p) is null);
    }

    /// <summary>Makes again what is due or no longer fits. Returns the products whose agents on this node may have older files or tokens, and since when there are newer ones.</summary>
    public IReadOnlyList<DueReload> Renew()
    {
        if (!HasCertificates) return [];
        lock (_gate)
        {
            return [.. from product in Closed
                where Load(product) is not null
                let digest = Digest(product)
                let since = CredentialFiles.DueSince(_membership.Paths, product, digest)
                where since is not null
                select new DueReload(product, since.Value, digest, CredentialFiles.Read(_membership.Paths, product))];
        }
    }

    /// <summary>All agents of the product on this node have read what was due.</summary>
    public void Reloaded(DueReload due) => CredentialFiles.Reloaded(_membership.Paths, due.Product, due.Digest);

    /// <summary>By product, the digest of what this node's agents have read, and the phase for which they were started. Null in an open cluster.</summary>
    public IReadOnlyDictionary<string, string>? Read => !HasCertificates ? null : Closed
        .Select(p => (p.Name, Text: CredentialFiles.Read(_membership.Paths, p))).Append((Name: AgentsPhaseKey, Text: AgentsPhase)).Where(p => p.Text is not null).ToDictionary(p => p.Name, p => p.Text!);

    /// <summary>The name of <see cref="AgentsPhase"/> in <see cref="NodeEntry.Trust"/>. No product has it.</summary>
    public const string AgentsPhaseKey = "phase";

    /// <summary>How far this node's agents have followed the cluster's phase, durable: one of the phases; null where nobody wrote it down.</summary>
    public string? AgentsPhase
    {
        get => PkiFiles.Read(Path.Combine(_membership.Paths.Pki, "agents-phase"));
        set => PkiFiles.Write(Path.Combine(_membership.Paths.Pki, "agents-phase"), value!);
    }

    /// <summary>
    /// Names all that an agent of the product reads from files: authorities, the round of certificates, tokens, gossip key. The same on every node that knows the same settings and secrets.
    /// </summary>
    public string Digest(Product product)
    {
        if (IsGiven) return Grants.Digest(product);
        // The versions of secrets say which they are and nothing of their content.
        var inFiles = product.Security!.Tokens.Select(t => SecretNames.Token(product.Name, t)).Append(SecretNames.Gossip(product.Name));
        var management = SecretNames.Token(product.Name, SecretNames.Management);
        return string.Join('-', Hash(Authorities(product), Round(product).ToString(CultureInfo.InvariantCulture)), Hash(Version(management)), Hash([.. inFiles.Select(Version)]));
    }

    /// <summary>Whether something of a product is being replaced: what a client node has may be older in a moment, and no setting will say when.</summary>
    public bool IsRotating(Product product) => RotationKinds.All.Any(what => Times(SettingNames.Rotation(what, product.Name)) > Times(SettingNames.Rotated(what, product.Name)));

    /// <summary>What a client node can see of what was replaced.</summary>
    private string Asked(Product product) => string.Join('.', RotationKinds.All.SelectMany(what => new[] { SettingNames.Rotation(what, product.Name), SettingNames.Rotated(what, product.Name) }).Select(Times));

    private int Times(string setting) => _membership.Settings?.Number(setting) ?? 0;

    private string Version(string secret) => _secrets.Version(secret).ToString(CultureInfo.InvariantCulture);

    private static string Hash(params IReadOnlyList<string?> parts) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', parts))).AsSpan(0, 8));

    /// <summary>
    /// The keys with which agents may encrypt gossip: the one that counts, and, while it is being replaced, the next one. None where gossip is open or this node has no secrets.
    /// </summary>
    public (string? Key, string? Next) GossipKeys(Product product) =>
        (Gossip(product), !IsSecure || !product.Gossips ? null
            // A client node is not told the next key. Its running agent learns it from the others.
            : IsGiven ? (IsRotating(product) ? Gossip(product) : null)
            : Open(SecretNames.Next(SecretNames.Gossip(product.Name))));

    /// <summary>The authorities that count for a product, the one that signs first.</summary>
    public IReadOnlyList<string> AuthoritiesOf(Product product) => Authorities(product) is { } pem ? CredentialFiles.Split(pem) : [];

    /// <summary>How often the certificates of a product were asked to be replaced.</summary>
    private int Round(Product product) => _membership.Settings?.Number(SettingNames.Rotation(RotationKinds.Certs, product.Name)) ?? 0;

    /// <summary>The key of a product's gossip; null where it is open.</summary>
    public string? Gossip(Product product) => !IsSecure || !product.Gossips ? null : IsGiven ? Grants.Gossip(product) : Open(SecretNames.Gossip(product.Name));

    /// <summary>A token of a product; null where its agents are open, or this node may not have it.</summary>
    public string? Token(Product product, string name) => !IsSecure ? null : IsGiven ? Grants.Token(product, name) : Open(SecretNames.Token(product.Name, name));

    /// <summary>What this agent itself says to a product: on a server node the token that may do anything.</summary>
    public string? OwnToken(Product product) => Token(product, IsGiven ? GivenCredentials.Own : SecretNames.Management);

    /// <summary>What a client node asks server nodes with.</summary>
    public CredentialsAsked Ask(IEnumerable<Product> products) => new(products.Where(Closes).ToDictionary(p => p.Name, Grants.KeyFor));

    /// <summary>Keeps what a server node gave this client node. Returns whether anything is new.</summary>
    /// <inheritdoc cref="ClientGrants.Take"/>
    public bool Take(Product product, GivenCredentials given)
    {
        lock (_gate)
        {
            var authorities = Authorities(product) ?? throw new ProblemException(ClientProblems.BadAnswer(product.Title, "Its authorities are not known here yet."));
            var isNew = Grants.Take(product, given, authorities, Asked(product));
            if (isNew) _loaded.Remove(product.Name);
            return isNew;
        }
    }

    /// <summary>Whether a client node wants new credentials for a product.</summary>
    public bool IsDue(Product product) => Closes(product) && Authorities(product) is { } authorities && (IsRotating(product) || Grants.IsDue(product, authorities, Asked(product)));

    /// <summary>The certificate of a client node for a product, as PEM.</summary>
    /// <inheritdoc cref="ClientCertificates.Issue"/>
    public string ForClientNode(Product product, NodeEntry node, byte[] publicKey, bool withAddress)
    {
        var credentials = Of(product) ?? throw new InvalidOperationException($"{product.Title} is open: nobody needs a certificate");
        var signing = SigningKey(product) ?? throw new ProblemException(SecurityProblems.NoCredentials(product));
        return ClientCertificates.Issue(product, node, credentials.Ca[0], signing, publicKey, withAddress, _time.GetUtcNow());
    }

    /// <summary>Keeps the token that a product has made by itself.</summary>
    public void Keep(Product product, string name, string token) => Keep(SecretNames.Token(product.Name, name), token);

    /// <summary>Writes a secret, unless it has that value.</summary>
    public void Keep(string name, string value)
    {
        if (Open(name) != value) _secrets.Put(name, Encoding.UTF8.GetBytes(value));
    }

    /// <summary>What will take a secret's place; null where it is not being replaced.</summary>
    public string? NextOf(string name) => Open(SecretNames.Next(name));

    public void KeepNext(string name, string value) => Keep(SecretNames.Next(name), value);

    /// <summary>The secret has taken its place, or never will.</summary>
    public void DropNext(string name) => _secrets.Delete(SecretNames.Next(name));

    public void SetAuthorities(Product product, IReadOnlyList<string> authorities) => _membership.Set(SettingNames.Ca(product.Name), string.Join('\n', authorities.Select(a => a.Trim())) + "\n");

    /// <summary>A new authority: its certificate and its key in one text.</summary>
    public string MakeAuthority(Product product)
    {
        var (certificate, key) = CredentialFiles.MakeAuthority(product, _membership.Current!.ClusterId, _time.GetUtcNow());
        return certificate + "\n" + key;
    }

    public static string MakeGossipKey() => Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));

    /// <summary>What a person shows to a product's agents: the authorities, a certificate and its key, all as PEM.</summary>
    /// <exception cref="ProblemException"><c>security/no-credentials</c>: this node does not have the authority's key.</exception>
    public (string Authorities, string Certificate, string Key) ForPerson(Product product, string name, DateTimeOffset until)
    {
        var credentials = Of(product) ?? throw new InvalidOperationException($"{product.Title} is open: nobody needs a certificate");
        var signing = SigningKey(product) ?? throw new ProblemException(SecurityProblems.NoCredentials(product));
        var (certificate, key) = CredentialFiles.ForPerson(name, credentials.Ca[0], signing, until, _time.GetUtcNow());
        return (Authorities(product)!, certificate, key);
    }

    /// <summary>The products of this cluster that have something to close.</summary>
    private IEnumerable<Product> Closed => _table.Stack.Where(p => p.Security is not null && (p.Schedules || _membership.Settings?.Products.Contains(p.Name) == true));

    private string? Setting => _membership.Settings?.Text(SettingNames.SecurityPhase);

    private string? Authorities(Product product) => _membership.Settings?.Text(SettingNames.Ca(product.Name));

    private void Mint(Product product)
    {
        // The key first: with the setting alone nobody could ever sign.
        if (Authorities(product) is null)
        {
            var (certificate, key) = CredentialFiles.MakeAuthority(product, _membership.Current!.ClusterId, _time.GetUtcNow());
            _secrets.Put(SecretNames.CaKey(product.Name), Encoding.UTF8.GetBytes(key));
            _membership.Set(SettingNames.Ca(product.Name), certificate);
        }

        if (product.Gossips) Make(SecretNames.Gossip(product.Name), MakeGossipKey);
        // Chosen here wherever the version allows: a secret that the product makes is lost if the agent dies before it is written down.
        foreach (var token in product.Security!.Tokens.Prepend(SecretNames.Management)) Make(SecretNames.Token(product.Name, token), () => Guid.NewGuid().ToString());
    }

    private void Make(string name, Func<string> value)
    {
        if (_secrets.Version(name) == 0) _secrets.Put(name, Encoding.UTF8.GetBytes(value()));
    }

    private Credentials? Load(Product product)
    {
        if (Authorities(product) is not { } authorities) return null;
        if (IsGiven)
        {
            if (Grants.Load(product, authorities) is not { } given) return null;
            _loaded[product.Name] = (authorities, given);
            return given;
        }

        if (CredentialFiles.Ensure(_membership.Paths, _membership.Node, product, authorities, Round(product), () => SigningKey(product), _time.GetUtcNow()) is not { } loaded) return null;
        _loaded[product.Name] = (authorities, loaded);
        return loaded;
    }

    /// <summary>The key of the authority that signs. While authorities are replaced, it may still be the next one's.</summary>
    private string? SigningKey(Product product) =>
        Authorities(product) is not { } authorities ? null
        : new[] { SecretNames.CaKey(product.Name), SecretNames.Next(SecretNames.CaKey(product.Name)) }.Select(Open).OfType<string>().FirstOrDefault(key => CredentialFiles.IsKeyOfFirst(authorities, key));

    /// <summary>Opening costs an agreement of keys, and a token is said with every call.</summary>
    public string? Open(string name)
    {
        lock (_gate)
        {
            var version = _secrets.Version(name);
            if (_opened.TryGetValue(name, out var held) && held.Version == version && held.Value is not null) return held.Value;
            var value = _secrets.Open(name) is { } bytes ? Encoding.UTF8.GetString(bytes) : null;
            _opened[name] = (version, value);
            return value;
        }
    }

    private void Forget()
    {
        lock (_gate) _opened.Clear();
    }
}
