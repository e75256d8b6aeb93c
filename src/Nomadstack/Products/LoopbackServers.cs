// SPDX-License-Identifier: MPL-2.0
using System.Net;
using Nomadstack.Cluster;
using Nomadstack.Ground.Http;
using Nomadstack.Security;
using Nomadstack.Storage;

namespace Nomadstack.Products;

/// <summary>
/// Servers of a product for a while, beside the cluster's own: they listen on loopback alone, at ports that nobody else has, and to this agent alone. An authority is made for them and
/// forgotten; its only certificate is shown by the servers and by the agent.
/// </summary>
internal sealed class LoopbackServers
{
    private const int PortsOfOne = 3;

    private readonly Product _product;

    /// <param name="folder">Made here; the certificate's.</param>
    /// <param name="purpose">A part of the authority's name.</param>
    /// <param name="servers">Their names and folders; the first one begins the cluster.</param>
    public LoopbackServers(NodeContext context, Product product, string folder, string purpose, IReadOnlyList<(string Name, string Folder)> servers)
    {
        _product = product;
        DurableFolders.Create(folder, DurableFolders.OwnerOnly);
        var now = context.Time.GetUtcNow();
        var authority = CredentialFiles.MakeAuthority(product, purpose, now);
        var here = context.Node with { Address = IPAddress.Loopback.ToString() };
        Credentials = CredentialFiles.Ensure(new NodePaths(folder), here, product, authority.Certificate, 0, () => authority.Key, now)!;
        var ports = FreePorts.OfLoopback(PortsOfOne * servers.Count);
        Sites = [.. servers.Select((s, i) => new ServerSite(
            product, Bootstrap: i == 0, s.Name, s.Folder, Guid.NewGuid().ToString(), here.Address, ports[PortsOfOne * i], ports[(PortsOfOne * i) + 1], product.Gossips ? ports[(PortsOfOne * i) + 2] : 0))];
    }

    public Credentials Credentials { get; }

    public IReadOnlyList<ServerSite> Sites { get; }

    /// <param name="name">As errors name it.</param>
    public Endpoint EndpointOf(ServerSite site, string name) => new(new Uri($"{Uri.UriSchemeHttps}://{HostPort.Join(site.Address, site.Http)}"))
    {
        Name = name,
        ServerName = _product.CertificateName(ProductPort.Server),
        Ca = Credentials.Ca,
        Certificate = Credentials.Certificate,
    };
}
