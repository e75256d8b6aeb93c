// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Ground.Http;
using Nomadstack.Products;

namespace Nomadstack.Tests;

/// <summary>The products that tests name.</summary>
internal static class Role
{
    public const string Nomad = "nomad", Consul = "consul";

    public static IReadOnlyList<string> All { get; } = [Nomad, Consul];

    public static Product Row(string name) => ProductTable.Known[name];

    /// <summary>A port by its key: <c>nomadServerRpc</c>.</summary>
    public static int Of(this PortPlan plan, string key) => plan[ProductTable.Known.Stack.SelectMany(p => p.Ports).Single(p => p.Key == key)];

    /// <summary>A port of its own for each purpose of these products.</summary>
    public static PortPlan FreePorts(Func<int> free, params string[] products) =>
        products.SelectMany(p => Row(p).Ports).Aggregate(new PortPlan(), (plan, port) => plan.With(port, free()));

    /// <summary>Where a server of n1 lives whose data is in <paramref name="folder"/>/data.</summary>
    public static ServerSite Site(string product, string folder, PortPlan? ports = null, string address = "10.0.0.1", bool bootstrap = false, string name = "n1-server")
    {
        var (row, plan, holder) = (Row(product), ports ?? new PortPlan(), bootstrap ? ProductPort.Bootstrap : ProductPort.Server);
        return new(row, bootstrap, name, folder, Guid.NewGuid().ToString(), address, plan.Of(row, holder, ProductPort.Http), plan.Of(row, holder, ProductPort.Rpc), plan.Of(row, holder, ProductPort.Serf));
    }

    public static Endpoint Endpoint(int port) => new(new Uri($"http://127.0.0.1:{port}"));
}
