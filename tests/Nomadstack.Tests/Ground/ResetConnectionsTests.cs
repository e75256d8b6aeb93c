// SPDX-License-Identifier: MPL-2.0
using System.Net;
using System.Net.Sockets;
using Nomadstack.Ground.Http;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Ground;

public sealed class ResetConnectionsTests
{
    [Fact]
    public async Task ABareSocketExceptionIsAConnectionThatCouldNotBeHad()
    {
        using var http = new HttpClient(new ResetConnections(new Failing(new SocketException((int)SocketError.NotConnected))));

        var failure = await Should.ThrowAsync<HttpRequestException>(http.GetAsync("http://127.0.0.1/"));

        failure.HttpRequestError.ShouldBe(HttpRequestError.ConnectionError);
        failure.InnerException.ShouldBeOfType<SocketException>().SocketErrorCode.ShouldBe(SocketError.NotConnected);
    }

    [Fact]
    public async Task EveryOtherFailureStaysWhatItIs()
    {
        using var http = new HttpClient(new ResetConnections(new Failing(new InvalidOperationException("a bug"))));

        await Should.ThrowAsync<InvalidOperationException>(http.GetAsync("http://127.0.0.1/"));
    }

    /// <summary>Whether a reset falls into the moment is the kernel's choice; of two hundred some do.</summary>
    [Fact]
    public async Task APeerThatResetsWhateverComesIsNeverMoreThanAFailedRequest()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using var over = new CancellationTokenSource();
        var resetting = ResetAllAsync(listener, over.Token);
        using var http = new HttpClient(new ResetConnections(new SocketsHttpHandler { UseProxy = false }));

        for (var i = 0; i < 200; i++) await Should.ThrowAsync<HttpRequestException>(http.GetAsync($"http://{listener.LocalEndpoint}/"));

        await over.CancelAsync();
        await resetting;
    }

    /// <summary>A handler without it would let the bare exception out again, where nobody catches it any more.</summary>
    [Fact]
    public void EveryClientOfOursHasIt()
    {
        var without = from folder in new[] { "src/Nomadstack", "src/Nomadstack.Engine" }
                      from file in Directory.EnumerateFiles(Path.Combine(Docs.Repository.Root, folder), "*.cs", SearchOption.AllDirectories)
                      let text = File.ReadAllText(file)
                      where text.Contains("new SocketsHttpHandler", StringComparison.Ordinal) && !text.Contains("new ResetConnections(", StringComparison.Ordinal)
                      select Path.GetFileName(file);

        without.ShouldBeEmpty();
    }

    private static async Task ResetAllAsync(TcpListener listener, CancellationToken stop)
    {
        try
        {
            while (true)
            {
                using var socket = await listener.AcceptSocketAsync(stop);
                socket.LingerState = new LingerOption(true, 0);
            }
        }
        catch (OperationCanceledException)
        {
            // The test is over.
        }
    }

    private sealed class Failing(Exception failure) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) => Task.FromException<HttpResponseMessage>(failure);
    }
}
