// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Cluster;

/// <summary>
/// The products of a stack, in the order in which a bootstrap starts them: a product that others need comes first. Every flow loops over this table.
/// </summary>
internal sealed class ProductTable(IReadOnlyList<Product> rows)
{
    /// <summary>Every product that this release knows. The ports are those of the design and the documentation; a node may choose others.</summary>
    public static ProductTable Known { get; } = new(
    [
        new()
        {
            Name = "consul", Title = "Consul", Oldest = new(1, 8, 0), IsCatalog = true, InFirstRelease = true,
            VariableInfix = "HTTP_",
            Security = new("dc1", ProductTokens.Agent, ProductTokens.Catalog, ProductTokens.Names),
            BusinessSince = [new(1, 17, 0), new(1, 16, 5), new(1, 15, 9)],
            Ports = PortsOf("consul", "Consul", client: (8500, 8301, 8600), server: (8510, 8300, 8311), bootstrap: (18500, 18300, 18301)),
        },
        new()
        {
            Name = "nomad", Title = "Nomad", Oldest = new(1, 1, 0), InFirstRelease = true, Schedules = true, FencesClient = true,
            VariableInfix = "",
            Security = new("global"),
            BusinessSince = [new(1, 7, 0), new(1, 6, 6), new(1, 5, 13)],
            Ports = PortsOf("nomad", "Nomad", client: (4646, 0, 0), server: (4649, 4647, 4648), bootstrap: (14646, 14647, 14648)),
        },
        new() { Name = "vault", Title = "Vault", BusinessSince = [new(1, 15, 0)] },
        new() { Name = "openbao", Title = "OpenBao", Program = "bao", IsHashiCorps = false },
    ]);

    public IReadOnlyList<Product> Rows { get; } = rows;

    /// <summary>Those that the stack runs.</summary>
    public IReadOnlyList<Product> Stack { get; } = [.. rows.Where(p => p.Runs)];

    /// <summary>The product that places all servers.</summary>
    public Product Scheduler { get; } = rows.Single(p => p.Schedules);

    /// <summary>In the order for people: the scheduler first, then the others.</summary>
    public IReadOnlyList<Product> Shown => [Scheduler, .. Stack.Where(p => !p.Schedules)];

    public Product? Find(string name) => Rows.FirstOrDefault(p => p.Name == name);

    /// <exception cref="InvalidOperationException">There is no such product.</exception>
    public Product this[string name] => Find(name) ?? throw new InvalidOperationException($"The product table has no row {name}.");

    /// <summary>Ports of a product whose agents gossip. A port of 0 means that the product does not have it.</summary>
    private static IReadOnlyList<ProductPort> PortsOf(string name, string title, (int Http, int Serf, int Dns) client, (int Http, int Rpc, int Serf) server, (int Http, int Rpc, int Serf) bootstrap)
    {
        ProductPort[] all =
        [
            new(name, ProductPort.Client, ProductPort.Http, client.Http, $"{title} client HTTP"),
            new(name, ProductPort.Client, ProductPort.Serf, client.Serf, $"{title} client gossip"),
            new(name, ProductPort.Client, ProductPort.Dns, client.Dns, $"{title} DNS"),
            new(name, ProductPort.Server, ProductPort.Http, server.Http, $"{title} server HTTP"),
            new(name, ProductPort.Server, ProductPort.Rpc, server.Rpc, $"{title} server RPC"),
            new(name, ProductPort.Server, ProductPort.Serf, server.Serf, $"{title} server gossip"),
            new(name, ProductPort.Bootstrap, ProductPort.Http, bootstrap.Http, $"{title} bootstrap server HTTP"),
            new(name, ProductPort.Bootstrap, ProductPort.Rpc, bootstrap.Rpc, $"{title} bootstrap server RPC"),
            new(name, ProductPort.Bootstrap, ProductPort.Serf, bootstrap.Serf, $"{title} bootstrap server gossip"),
        ];
        return [.. all.Where(p => p.Default > 0)];
    }
}

/// <summary>The names of tokens that the stack makes for agents.</summary>
internal static class ProductTokens
{
    /// <summary>What an agent of the product says for its own work.</summary>
    public const string Agent = "agent";

    /// <summary>What the scheduler's agents say to register services.</summary>
    public const string Catalog = "catalog";

    /// <summary>What may read the names of services and nodes, for DNS.</summary>
    public const string Names = "names";
}
