// SPDX-License-Identifier: MPL-2.0
using System.Text;
using System.Text.RegularExpressions;
using Nomadstack.Api;
using Nomadstack.Cluster;
using Nomadstack.Products;
using Nomadstack.Security;

namespace Nomadstack.Node;

/// <summary>Makes what lets a person or a tool in from another machine: for each product a certificate and a token, and one file that sets the variables of the products' command lines.</summary>
internal sealed partial class CredentialDesk(NodeContext context, IReadOnlyDictionary<string, IProduct> products)
{
    private static readonly TimeSpan s_shortest = TimeSpan.FromMinutes(1), s_longest = TimeSpan.FromHours(24), s_usual = TimeSpan.FromHours(8);

    /// <exception cref="ProblemException"><c>credentials/*</c>, <c>security/no-credentials</c>.</exception>
    public async Task<CredentialsMade> MakeAsync(CredentialsRequest request, CancellationToken cancel)
    {
        if (!context.Trust.IsSecure) throw new ProblemException(SecurityProblems.OpenCluster());
        if (!Name().IsMatch(request.Name)) throw new ProblemException(SecurityProblems.BadName(request.Name));
        if (!PersonRole.All.Contains(request.Role)) throw new ProblemException(SecurityProblems.BadRole(request.Role));
        var life = request.TimeToLiveSeconds is { } seconds ? TimeSpan.FromSeconds(seconds) : s_usual;
        if (life < s_shortest || life > s_longest) throw new ProblemException(SecurityProblems.BadLife(life));

        var until = context.Time.GetUtcNow() + life;
        var files = new Dictionary<string, string>();
        var script = new StringBuilder($"# Lets {request.Name} ({request.Role}) into the cluster until {until:u}. Read it with: . ./env\n")
            .Append("here=$(cd \"$(dirname \"${BASH_SOURCE:-$0}\")\" && pwd)\n");
        foreach (var product in context.Products.Where(p => p.Security is not null))
        {
            var token = await TokenAsync(product, request, life, cancel);
            var (authorities, certificate, key) = context.Trust.ForPerson(product, request.Name, until);
            (files[$"{product.Name}-ca.pem"], files[$"{product.Name}.pem"], files[$"{product.Name}-key.pem"]) = (authorities, certificate, key);
            if (product.Variables is not { } names) continue;
            script.Append($"export {names.Address}={AddressOf(product)}\n")
                .Append($"export {names.Ca}=\"$here/{product.Name}-ca.pem\" {names.Certificate}=\"$here/{product.Name}.pem\" {names.Key}=\"$here/{product.Name}-key.pem\"\n")
                .Append($"export {names.Token}={token}\n");
        }

        files["env"] = script.ToString();
        return new(files, until);
    }

    private async Task<string> TokenAsync(Product product, CredentialsRequest request, TimeSpan life, CancellationToken cancel)
    {
        var complaint = "No server of it is known.";
        foreach (var server in KnownServer.Of(context.Membership.Current, product.Name).OrderByDescending(s => s.NodeId == context.Node.Id))
        {
            var answer = await products[product.Name].MakePersonsTokenAsync(context.Endpoints.Of(product, server), request.Name, request.Role, life, cancel);
            if (answer.Try(out var token)) return token;
            complaint = answer.Complaint;
        }

        throw new ProblemException(SecurityProblems.NotMade(product, complaint));
    }

    private string AddressOf(Product product) =>
        product.HasClient ? context.Endpoints.OfClient(product, context.Node).Text
        : context.Endpoints.OfServer(product, context.Node.Address, context.Node.Ports.Of(product, ProductPort.Server, ProductPort.Http)).Text;

    [GeneratedRegex(@"^[\w.-]{1,64}$")]
    private static partial Regex Name();
}
