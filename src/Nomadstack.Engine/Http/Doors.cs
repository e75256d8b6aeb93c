// SPDX-License-Identifier: MPL-2.0
using System.Net.Security;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.Logging;
using Nomadstack.Engine.Raft;
using Nomadstack.Engine.Rpc;

namespace Nomadstack.Engine.Http;

/// <summary>
/// What a new connection passes before the first call on it: TLS as it is wanted at that moment, the name of the other agent's certificate, and, on a port between agents, the way
/// to raft. A connection that came before TLS changed is ended soon after.
/// </summary>
internal sealed class Doors(AgentParts agent, ILogger log)
{
    /// <summary>Enough of a connection to tell what it is: raft's begins with the length of a short greeting, in four bytes of which the last is zero.</summary>
    private const int FirstBytes = 4;

    private const byte HandshakeRecord = 0x16, TlsMajorVersion = 0x03;

    /// <summary>Nomad's <c>https_handshake_timeout</c> and <c>rpc_handshake_timeout</c>.</summary>
    private static readonly TimeSpan s_handshakeDeadline = TimeSpan.FromSeconds(5);

    /// <summary>So long a call that has begun goes on after a change of TLS.</summary>
    private static readonly TimeSpan s_grace = TimeSpan.FromSeconds(5);

    private static readonly byte[] s_plainToHttps = "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"u8.ToArray();

    /// <param name="betweenAgents">The port is for agents, not for users.</param>
    public void Open(ListenOptions listen, bool betweenAgents)
    {
        ConnectionDelegate? plain = null;
        listen.Protocols = HttpProtocols.Http1;
        // The last is made first, so that the first one knows a way past TLS.
        listen.Use(secure => connection => EnterAsync(connection, betweenAgents, secure, plain!));
        listen.UseHttps(new TlsHandshakeCallbackOptions { HandshakeTimeout = s_handshakeDeadline, OnConnection = context => new(Incoming(context.Connection, betweenAgents)) });
        listen.Use(next => plain = betweenAgents ? connection => TellApartAsync(connection, next) : next);
    }

    private SslServerAuthenticationOptions Incoming(ConnectionContext connection, bool betweenAgents)
    {
        var options = agent.Tls.Incoming(betweenAgents);
        if (!options.ClientCertificateRequired) return options;
        options.RemoteCertificateValidationCallback = (_, _, chain, errors) =>
        {
            if (errors == SslPolicyErrors.None) return true;
            var why = chain is null ? "no certificate was shown" : string.Join(" ", chain.ChainStatus.Select(s => s.StatusInformation.Trim()));
            log.LogWarning("failed TLS handshake: {Peer}: {Errors}: {Why}", connection.RemoteEndPoint, errors, why);
            return false;
        };
        return options;
    }

    private async Task EnterAsync(ConnectionContext connection, bool betweenAgents, ConnectionDelegate secure, ConnectionDelegate plain)
    {
        if (connection.Features.Get<IConnectionSocketFeature>() is { } feature) TcpRaftTransport.Prepare(feature.Socket);
        using var closed = CancellationTokenSource.CreateLinkedTokenSource(connection.ConnectionClosed);
        using var ending = agent.Tls.Changed.Register(() => _ = EndAsync(connection, closed.Token));
        try
        {
            await EnterAsync(connection, betweenAgents, agent.Tls.Config is var tls && (betweenAgents ? tls.Rpc : tls.Http), secure, plain);
        }
        finally
        {
            await closed.CancelAsync();
        }
    }

    private async Task EnterAsync(ConnectionContext connection, bool betweenAgents, bool tls, ConnectionDelegate secure, ConnectionDelegate plain)
    {
        if (!tls)
        {
            await plain(connection);
            return;
        }

        if (await FirstAsync(connection, 1) is not { Length: > 0 } first) return;
        if (first[0] == HandshakeRecord) await secure(connection);
        else if (!betweenAgents) await connection.Transport.Output.WriteAsync(s_plainToHttps);
        else if (agent.Tls.Config.RpcUpgradeMode) await plain(connection);
        else log.LogWarning("Non-TLS connection attempted with RequireTLS set: {Peer}", connection.RemoteEndPoint);
    }

    private async Task TellApartAsync(ConnectionContext connection, ConnectionDelegate http)
    {
        var secured = connection.Features.Get<ITlsConnectionFeature>();
        // An agent without a certificate came here only where upgrade mode lets it.
        if (secured is not null && !agent.Tls.IsAgent(secured.ClientCertificate))
        {
            log.LogWarning("The connection of {Peer} was refused: " + AgentTls.WrongRole + ": {Certificate}", connection.RemoteEndPoint, secured.ClientCertificate?.Subject);
            return;
        }

        var first = await FirstAsync(connection, FirstBytes);
        if (first is [HandshakeRecord, TlsMajorVersion, ..] && secured is null)
        {
            log.LogWarning("TLS connection attempted, server not configured for TLS: {Peer}", connection.RemoteEndPoint);
        }
        else if (first is [_, _, _, 0])
        {
            if (secured is null || agent.Tls.IsServer(secured.ClientCertificate)) await ServeRaftAsync(connection);
            else log.LogWarning("The raft connection of {Peer} was refused: " + AgentTls.WrongRole + ": {Certificate}", connection.RemoteEndPoint, secured.ClientCertificate?.Subject);
        }
        else
        {
            await http(connection);
        }
    }

    /// <summary>A connection of raft's never ends by itself: it ends when this server stops listening.</summary>
    private Task ServeRaftAsync(ConnectionContext connection) => agent.Server!.Raft.ServeAsync(
        connection.Transport.Input.AsStream(), connection.RemoteEndPoint?.ToString(), connection.Features.GetRequiredFeature<IConnectionLifetimeNotificationFeature>().ConnectionClosedRequested);

    /// <summary>What a connection begins with, which stays where it is.</summary>
    private async Task<byte[]?> FirstAsync(ConnectionContext connection, int count)
    {
        using var late = new CancellationTokenSource(s_handshakeDeadline, agent.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, connection.ConnectionClosed);
        try
        {
            var input = connection.Transport.Input;
            var read = await input.ReadAtLeastAsync(count, either.Token);
            var first = new byte[Math.Min(count, read.Buffer.Length)];
            System.Buffers.BuffersExtensions.CopyTo(read.Buffer.Slice(0, first.Length), first);
            input.AdvanceTo(read.Buffer.Start);
            return first;
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // It said nothing, or is gone.
            return null;
        }
    }

    private async Task EndAsync(ConnectionContext connection, CancellationToken closed)
    {
        connection.Features.Get<IConnectionLifetimeNotificationFeature>()?.RequestClose();
        await Task.Delay(s_grace, agent.Time, closed).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!closed.IsCancellationRequested) connection.Abort(new ConnectionAbortedException("TLS was changed"));
    }
}
