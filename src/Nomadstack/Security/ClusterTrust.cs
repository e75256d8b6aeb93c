// SPDX-License-Identifier: MPL-2.0
using System.Security.Cryptography;
using System.Text;
using Nomadstack.Cluster;
using Nomadstack.Peers;

namespace Nomadstack.Security;

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
    public bool IsDecided => Phase is not null;

    public bool IsSecure => Phase == SettingNames.Secure;

    /// <summary>Makes everything that a closed cluster needs, and then says that it is closed. Repeatable: what an interrupted run made is used.</summary>
    /// <exception cref="ProblemException"><c>secrets/*</c>, <c>settings/*</c>, <c>storage/unwritable</c>.</exception>
    public void Mint(bool secure)
    {
        if (IsDecided) return;
        if (secure)
        {
            foreach (var product in _table.Stack.Where(p => p.Security is not null)) Mint(product);
        }

        _membership.Set(SettingNames.SecurityPhase, secure ? SettingNames.Secure : SettingNames.Plain);
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
            return _loaded.TryGetValue(product.Name, out var loaded) && loaded.Authorities == Authorities(product) ? loaded.Credentials : Load(product);
        }
    }

    /// <summary>The first product for which this node has no certificate and cannot make one; null if none.</summary>
    public Product? Lacks()
    {
        if (!IsSecure) return null;
        // A client node gets what its cluster runs, and nothing for products that it could have.
        bool IsHere(Product p) => !IsGiven || p.Schedules || _membership.Settings!.Products.Contains(p.Name);
        lock (_gate) return _table.Stack.FirstOrDefault(p => p.Security is not null && IsHere(p) && !_loaded.ContainsKey(p.Name) && Load(p) is null);
    }

    /// <summary>Makes again what is due or no longer fits. Returns the products whose agents on this node may have older files, and since when there are newer ones.</summary>
    public IReadOnlyList<(Product Product, DateTimeOffset Since)> Renew()
    {
        if (!IsSecure) return [];
        lock (_gate)
        {
            return [.. from product in _table.Stack
                where product.Security is not null && Load(product) is not null
                let since = CredentialFiles.DueSince(_membership.Paths, product)
                where since is not null
                select (product, since.Value)];
        }
    }

    /// <summary>All agents of the product on this node have read their files.</summary>
    public void Reloaded(Product product) => CredentialFiles.Reloaded(_membership.Paths, product);

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
            var isNew = Grants.Take(product, given, authorities);
            if (isNew) _loaded.Remove(product.Name);
            return isNew;
        }
    }

    /// <summary>Whether a client node wants new credentials for a product.</summary>
    public bool IsDue(Product product) => Closes(product) && Authorities(product) is { } authorities && Grants.IsDue(product, authorities);

    /// <summary>The certificate of a client node for a product, as PEM.</summary>
    /// <inheritdoc cref="ClientCertificates.Issue"/>
    public string ForClientNode(Product product, NodeEntry node, byte[] publicKey, bool withAddress)
    {
        var credentials = Of(product) ?? throw new InvalidOperationException($"{product.Title} is open: nobody needs a certificate");
        var signing = Open(SecretNames.CaKey(product.Name)) ?? throw new ProblemException(SecurityProblems.NoCredentials(product));
        return ClientCertificates.Issue(product, node, credentials.Ca[0], signing, publicKey, withAddress, _time.GetUtcNow());
    }

    /// <summary>Keeps the token that a product has made by itself.</summary>
    public void Keep(Product product, string name, string token)
    {
        if (Token(product, name) != token) _secrets.Put(SecretNames.Token(product.Name, name), Encoding.UTF8.GetBytes(token));
    }

    /// <summary>What a person shows to a product's agents: the authorities, a certificate and its key, all as PEM.</summary>
    /// <exception cref="ProblemException"><c>security/no-credentials</c>: this node does not have the authority's key.</exception>
    public (string Authorities, string Certificate, string Key) ForPerson(Product product, string name, DateTimeOffset until)
    {
        var credentials = Of(product) ?? throw new InvalidOperationException($"{product.Title} is open: nobody needs a certificate");
        var signing = Open(SecretNames.CaKey(product.Name)) ?? throw new ProblemException(SecurityProblems.NoCredentials(product));
        var (certificate, key) = CredentialFiles.ForPerson(name, credentials.Ca[0], signing, until, _time.GetUtcNow());
        return (Authorities(product)!, certificate, key);
    }

    private string? Phase => _membership.Settings?.Text(SettingNames.SecurityPhase);

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

        if (product.Gossips) Make(SecretNames.Gossip(product.Name), () => Convert.ToBase64String(RandomNumberGenerator.GetBytes(32)));
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

        if (CredentialFiles.Ensure(_membership.Paths, _membership.Node, product, authorities, () => Open(SecretNames.CaKey(product.Name)), _time.GetUtcNow()) is not { } loaded) return null;
        _loaded[product.Name] = (authorities, loaded);
        return loaded;
    }

    /// <summary>Opening costs an agreement of keys, and a token is said with every call.</summary>
    private string? Open(string name)
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
