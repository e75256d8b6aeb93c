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
    /// <summary>
    /// Asks for the first token of both products, at every port that a node may have for one, until told to stop: an access control that is not initialised yet gives it to whoever asks
    /// first. Returns the answers that were not a refusal.
    /// </summary>
    public static async Task<IReadOnlyList<string>> RaceAsync(LabNode node, CancellationToken stop)
    {
        int[] ports = [NomadApi.ClientPort, NomadApi.ServerPort, NomadApi.ConsulClientPort, NomadApi.ConsulServerPort, 14646, 18500];
        var won = new System.Collections.Concurrent.ConcurrentBag<string>();
        await Task.WhenAll(ports.SelectMany(port => new[] { "http", "https" }.Select(scheme => Task.Run(async () =>
        {
            using var http = new HttpClient(new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromMilliseconds(200), SslOptions = new() { RemoteCertificateValidationCallback = (_, _, _, errors) => errors != SslPolicyErrors.RemoteCertificateNotAvailable } }) { Timeout = TimeSpan.FromSeconds(10) };
            while (!stop.IsCancellationRequested)
            {
                try
                {
                    using var answer = await http.PutAsync($"{scheme}://{node.Address}:{port}/v1/acl/bootstrap", null, stop);
                    if (answer.IsSuccessStatusCode) won.Add($"{scheme} {port}: {await answer.Content.ReadAsStringAsync(CancellationToken.None)}");
                }
                catch (Exception e) when (e is HttpRequestException or OperationCanceledException or IOException)
                {
                    // Refused, or not there yet.
                }

                await Task.Delay(20, CancellationToken.None);
            }
        }, CancellationToken.None))));
        return [.. won];
    }

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
