// SPDX-License-Identifier: MPL-2.0
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Nomadstack.Api;
using Nomadstack.Cluster;
using Nomadstack.Ground.Http;

namespace Nomadstack.Relay;

/// <summary>
/// Where a product answers now, with this node's credentials for it. The agent is asked once, and again whenever what it said did not work: servers move, and certificates
/// are renewed.
/// </summary>
internal sealed class Upstream(Product product, Func<CancellationToken, Task<Endpoints>> ask)
{
    private volatile Endpoint? _known;

    public Product Product { get; } = product;

    /// <exception cref="ProblemException">The agent does not answer or is a client node's, the cluster does not have the product, or its certificate cannot be read.</exception>
    public async Task<Endpoint> FindAsync(CancellationToken cancel)
    {
        if (_known is { } known) return known;
        var said = await ask(cancel);
        return said.Client is { } refusal ? throw new ProblemException(refusal) : _known = Read(said.Of(Product.Name));
    }

    /// <summary>What was found did not work: the next one to ask hears of what is true then.</summary>
    public void Forget(Endpoint endpoint) => Interlocked.CompareExchange(ref _known, null, endpoint);

    private Endpoint Read(ProductEndpoint said)
    {
        if (said.Address is not { } address || Product.Variables is not { } names) throw new ProblemException(RelayProblems.NotThere(Product));
        var given = said.Environment ?? new Dictionary<string, string>();
        try
        {
            return new Endpoint(new Uri(address))
            {
                Ca = given.TryGetValue(names.Ca, out var ca) ? Authorities(ca) : null,
                Certificate = given.TryGetValue(names.Certificate, out var certificate)
                    ? X509Certificate2.CreateFromPemFile(certificate, given.GetValueOrDefault(names.Key))
                    : null,
                Token = given.TryGetValue(names.Token, out var token) ? new(Product.TokenHeader, () => token) : null,
            };
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw new ProblemException(RelayProblems.CredentialsUnreadable(Product, e.Message), e);
        }
    }

    private static X509Certificate2Collection Authorities(string file)
    {
        var all = new X509Certificate2Collection();
        all.ImportFromPemFile(file);
        return all;
    }
}
