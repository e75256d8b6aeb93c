// SPDX-License-Identifier: MPL-2.0
using System.Net;
using Microsoft.AspNetCore.Http;
using Nomadstack.Cluster;
using Nomadstack.Peers;
using Nomadstack.Security;
using Nomadstack.Tests.Peers;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Relay;

/// <summary>A closed cluster: the product demands a certificate, and has one that only its own authority vouches for.</summary>
public sealed class ClosedRelayTests : IDisposable
{
    private readonly Members _cluster = new();

    public void Dispose() => _cluster.Dispose();

    [Fact]
    public async Task TheProductIsShownThisNodesCertificateWhichTheBrowserDoesNotHave()
    {
        var own = Credentials();
        await using var room = await RelayRoom.EnteredAsync(own);
        room.Answer = async http => await http.Response.WriteAsync((await http.Connection.GetClientCertificateAsync())!.Thumbprint);

        using var answer = await room.SendAsync("/v1/jobs");

        (await answer.Content.ReadAsStringAsync()).ShouldBe(own.Certificate.Thumbprint);
    }

    [Fact]
    public async Task AStrangerAtTheProductsAddressDoesNotHearTheToken()
    {
        var (own, strangers) = (Credentials(), Credentials());
        await using var room = await RelayRoom.EnteredAsync(own);
        var heard = false;
        room.Answer = http => Task.FromResult(heard = true);
        // Another authority takes the place of the one that vouched for the product.
        File.WriteAllText(own.CaFile, File.ReadAllText(strangers.CaFile));

        using var answer = await room.SendAsync("/v1/jobs");

        answer.StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
        (await answer.Content.ReadAsStringAsync()).ShouldContain("\"code\":\"ui/away\"");
        heard.ShouldBeFalse();
    }

    [Fact]
    public async Task ACertificateThatCannotBeReadIsTold()
    {
        var own = Credentials();
        await using var room = await RelayRoom.EnteredAsync(own);
        File.Delete(own.KeyFile);

        using var answer = await room.SendAsync("/v1/jobs");

        (await answer.Content.ReadAsStringAsync()).ShouldContain("\"code\":\"ui/credentials-unreadable\"");
    }

    private Credentials Credentials()
    {
        var member = _cluster.First();
        var trust = new ClusterTrust(member.Membership, new SecretStore(member.Membership), ProductTable.Known, TimeProvider.System);
        trust.Mint(secure: true);
        return trust.Of(Role.Row(Role.Nomad))!;
    }
}
