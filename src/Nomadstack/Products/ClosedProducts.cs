// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Products;

/// <summary>What flows ask of all servers of a product together.</summary>
internal static class ClosedProducts
{
    /// <summary>Whether a server of the product says that it is closed (<see cref="IProduct.IsClosedAsync"/>). This node's own is asked first.</summary>
    public static async Task<bool> IsClosedAnywhereAsync(this IProduct product, NodeContext context, CancellationToken cancel)
    {
        foreach (var server in KnownServer.Of(context.Membership.Current, product.Row.Name).OrderByDescending(s => s.NodeId == context.Node.Id))
        {
            if (await product.IsClosedAsync(context.Endpoints.Of(product.Row, server), cancel)) return true;
        }

        return false;
    }
}
