// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Cluster;

/// <summary>
/// One row of the product table: what every part of the program may know of a product without its code. How its servers are configured, queried and
/// moved is in the product's own folder. Flows loop over products and name none.
/// </summary>
internal sealed record Product
{
    /// <summary>In lower case: the driver's <c>role</c>, the name of its folders, of its command and of its job.</summary>
    public required string Name { get; init; }

    /// <summary>The name for people, with which the first line of its program's <c>version</c> begins.</summary>
    public required string Title { get; init; }

    /// <summary>The name of its program.</summary>
    public string Program { get => field ?? Name; init; }

    /// <summary>All its ports on a node. If there are none, the stack only fetches this product and does not run it.</summary>
    public IReadOnlyList<ProductPort> Ports { get; init; } = [];

    /// <summary>True for the one product that places all servers. Their jobs are in its state, and <c>engine</c> says what provides it.</summary>
    public bool Schedules { get; init; }

    /// <summary>
    /// True if its client obeys the first server that it meets, even one that has lost its state. Such a client starts only through the gate (I4).
    /// </summary>
    public bool FencesClient { get; init; }

    /// <summary>True if the scheduler's jobs register their services with this node's client of it.</summary>
    public bool IsCatalog { get; init; }

    /// <summary>True for the products of release 0.1.0, whose membership has a single flag for them.</summary>
    public bool InFirstRelease { get; init; }

    /// <summary>The oldest version that the stack can run; null for any.</summary>
    public SemVer? Oldest { get; init; }

    /// <summary>The environment variables of its own command line; null if it has none.</summary>
    public ProductVariables? Variables => VariableInfix is { } infix ? new(infix, Name.ToUpperInvariant()) : null;

    /// <summary>What its command line has between the product's name and <c>ADDR</c> or <c>TOKEN</c> in its variables; null if it has no command line.</summary>
    public string? VariableInfix { get; init; }

    /// <summary>How its agents are closed to strangers; null for a product that the stack cannot close.</summary>
    public ProductSecurity? Security { get; init; }

    /// <summary>The DNS name that a closed server's or client's certificate carries; null for a product that the stack cannot close.</summary>
    /// <param name="holder"><see cref="ProductPort.Server"/> or <see cref="ProductPort.Client"/>.</param>
    public string? CertificateName(string holder) => Security is { } security ? $"{holder}.{security.Zone}.{Name}" : null;

    /// <summary>The HTTP header that carries a token.</summary>
    public string TokenHeader => $"X-{Title}-Token";

    /// <summary>Whether its agents gossip, so that they need a common key.</summary>
    public bool Gossips => Ports.Any(p => p.Purpose == ProductPort.Serf);

    /// <summary>Whether its clients gossip, too.</summary>
    public bool ClientsGossip => FindPort(ProductPort.Client, ProductPort.Serf) is not null;

    /// <summary>True if HashiCorp publishes it, signed with HashiCorp's key.</summary>
    public bool IsHashiCorps { get; init; } = true;

    /// <summary>
    /// The first versions under HashiCorp's Business Source License, the newest line first. Older lines changed to it with their releases of 2024. Empty if there are none.
    /// </summary>
    public IReadOnlyList<SemVer> BusinessSince { get; init; } = [];

    /// <summary>True if the stack runs servers of it.</summary>
    public bool Runs => Ports.Count > 0;

    /// <summary>True if every node runs a client of it.</summary>
    public bool HasClient => Ports.Any(p => p.Holder == ProductPort.Client);

    /// <summary>The job that places its servers.</summary>
    public string JobId => Name + "-server";

    /// <summary>The port of a client, server or bootstrap server for a purpose; null if the product has no such port.</summary>
    public ProductPort? FindPort(string holder, string purpose) => Ports.FirstOrDefault(p => p.Holder == holder && p.Purpose == purpose);

    /// <summary>A port that the product must have.</summary>
    /// <exception cref="InvalidOperationException">It has no such port: the row is wrong.</exception>
    public ProductPort Port(string holder, string purpose) =>
        FindPort(holder, purpose) ?? throw new InvalidOperationException($"{Title} has no port for {holder} {purpose}");

    /// <summary>The licence's short name, as SPDX spells it where it has one.</summary>
    public string LicenceOf(SemVer version) => version.Metadata.Contains("ent", StringComparison.Ordinal)
        ? "HashiCorp enterprise licence"
        : IsBusiness(version) ? "BUSL-1.1" : "MPL-2.0";

    private bool IsBusiness(SemVer version) =>
        BusinessSince.Any(since => version >= since && (since == BusinessSince[0] || (version.Major, version.Minor) == (since.Major, since.Minor)))
        || (BusinessSince.Count > 0 && version >= BusinessSince[0] with { PreRelease = "0" });
}

/// <summary>A static port of a product on every node.</summary>
/// <param name="Product">The product's name.</param>
/// <param name="Holder"><see cref="Client"/>, <see cref="Server"/> or <see cref="Bootstrap"/>.</param>
/// <param name="Purpose"><see cref="Http"/>, <see cref="Rpc"/>, <see cref="Serf"/> or <see cref="Dns"/>.</param>
/// <param name="Words">What a person calls it: <c>Nomad server RPC</c>.</param>
internal sealed record ProductPort(string Product, string Holder, string Purpose, int Default, string Words)
{
    public const string Client = "client", Server = "server", Bootstrap = "bootstrap";

    public const string Http = "http", Rpc = "rpc", Serf = "serf", Dns = "dns";

    /// <summary>Its name in <c>node.json</c> and in the membership: <c>nomadClientHttp</c>.</summary>
    public string Key { get; } = $"{Product}{Capital(Holder)}{Capital(Purpose)}";

    /// <summary>Its name on the command line: <c>nomad-client-http</c>.</summary>
    public string Option { get; } = $"{Product}-{Holder}-{Purpose}";

    /// <summary>Gossip and DNS need UDP beside TCP.</summary>
    public bool Udp => Purpose is Serf or Dns;

    private static string Capital(string word) => char.ToUpperInvariant(word[0]) + word[1..];
}

/// <summary>The environment variables in which a product's command line, and tools written for it, look for an address and for what they need to be let in.</summary>
internal sealed record ProductVariables(string Infix, string Prefix)
{
    public string Address => $"{Prefix}_{Infix}ADDR";

    /// <summary>A file with the authorities that count.</summary>
    public string Ca => $"{Prefix}_CACERT";

    /// <summary>A file with the certificate that the caller shows.</summary>
    public string Certificate => $"{Prefix}_CLIENT_CERT";

    /// <summary>A file with the certificate's key.</summary>
    public string Key => $"{Prefix}_CLIENT_KEY";

    public string Token => $"{Prefix}_{Infix}TOKEN";
}

/// <summary>How a product's agents know each other.</summary>
/// <param name="Zone">The region or datacenter of all agents: the certificates of servers carry <c>server.ZONE.PRODUCT</c>, those of clients <c>client.ZONE.PRODUCT</c>.</param>
/// <param name="Tokens">Names of the tokens that its own agents, and those of other products, say.</param>
internal sealed record ProductSecurity(string Zone, params IReadOnlyList<string> Tokens);
