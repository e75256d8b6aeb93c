// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Consul;
using Nomadstack.Nomad;
using Nomadstack.Products;
using Nomadstack.Programs;

namespace Nomadstack.Node;

/// <summary>The code for each row of the product table. Only this place connects the two.</summary>
internal static class ProductCode
{
    public static IReadOnlyDictionary<string, IProduct> All(NodeContext context, NodePrograms programs) =>
        context.Table.Stack.ToDictionary(row => row.Name, row => Of(row, context, programs));

    private static IProduct Of(Product row, NodeContext context, NodePrograms programs) => row.Name switch
    {
        "nomad" => new NomadProduct(row, context, programs, () => context.Products.FirstOrDefault(p => p.IsCatalog)),
        "consul" => new ConsulProduct(row, context, programs),
        _ => throw new InvalidOperationException($"the product {row.Name} has a row but no code"),
    };
}
