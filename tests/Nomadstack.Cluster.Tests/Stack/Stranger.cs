// SPDX-License-Identifier: MPL-2.0
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using Nomadstack.Cluster.Tests.Machines;
using Shouldly;

namespace Nomadstack.Cluster.Tests.Stack;

/// <summary>A neighbour on the network, without a certificate and without a token.</summary>
internal static class Stranger
{
    /// <summary>A neighbour without a certificate gets no answer from any port that speaks HTTP, and a token alone opens nothing.</summary>
    public static async Task GetsNothingAsync(LabNode node, bool consul)
    {
        int[] ports = consul ? [NomadApi.ClientPort, NomadApi.ServerPort, NomadApi.ConsulClientPort, NomadApi.ConsulServerPort] : [NomadApi.ClientPort, NomadApi.ServerPort];
        foreach (var port in ports)
        {
            (await AnswerAsync(node.Address, port)).ShouldBeNull($"{node.Name}:{port}");
            await PlainIsRefusedAsync(node.Address, port);
        }
    }

    /// <summary>What comes back for a request over TLS without a certificate; null when nothing does.</summary>
    private static async Task<string?> AnswerAsync(string address, int port)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        using var socket = new TcpClient();
        try
        {
            await socket.ConnectAsync(address, port, limit.Token);
            // A stranger believes everybody.
            await using var tls = new SslStream(socket.GetStream(), false, (_, _, _, errors) => errors != SslPolicyErrors.RemoteCertificateNotAvailable);
            await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = address }, limit.Token);
            await tls.WriteAsync("GET /v1/status/leader HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"u8.ToArray(), limit.Token);
            using var reader = new StreamReader(tls);
            var answer = await reader.ReadToEndAsync(limit.Token);
            return answer.Length > 0 ? answer : null;
        }
        catch (Exception e) when (e is IOException or AuthenticationException or SocketException)
        {
            return null;
        }
    }

    private static async Task PlainIsRefusedAsync(string address, int port)
    {
        using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(10) };
        try
        {
            using var answer = await http.GetAsync($"http://{address}:{port}/v1/agent/self");
            ((int)answer.StatusCode).ShouldBe(400);
        }
        catch (HttpRequestException)
        {
            // Closed before its answer could be read.
        }
    }
}
