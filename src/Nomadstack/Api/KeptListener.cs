// SPDX-License-Identifier: MPL-2.0
using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Nomadstack.Cluster;
using Nomadstack.Ground.Kernel;
using Nomadstack.Storage;

namespace Nomadstack.Api;

/// <summary>Kestrel's own transport for unix sockets, but for <see cref="KeptListener"/>.</summary>
internal sealed class KeptListenerFactory(IOptions<SocketTransportOptions> options, ILoggerFactory logs, TimeProvider time)
    : IConnectionListenerFactory, IConnectionListenerFactorySelector
{
    private readonly SocketTransportFactory _sockets = new(options, logs);

    public bool CanBind(EndPoint endpoint) => endpoint is UnixDomainSocketEndPoint;

    public async ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default)
    {
        var first = await _sockets.BindAsync(endpoint, cancellationToken);
        return new KeptListener((UnixDomainSocketEndPoint)endpoint, first, _sockets, time, logs.CreateLogger<KeptListener>());
    }
}

/// <summary>
/// A unix socket that is there as long as its agent: cleaners sweep temporary folders and a user's goes with the last login, and a socket without a name can be reached by
/// nobody. Within half a second of that it is bound anew; connections that are open stay so. Whoever is neither our user nor root is turned away.
/// </summary>
internal sealed partial class KeptListener : IConnectionListener
{
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(500);

    private readonly UnixDomainSocketEndPoint _endpoint;
    private readonly SocketTransportFactory _sockets;
    private readonly ILogger _log;
    private readonly CancellationTokenSource _end = new();
    private readonly Task _watch;

    /// <summary>Listeners that were swept away. Their connections may live, and their buffers with them.</summary>
    private readonly List<IConnectionListener> _before = [];

    private IConnectionListener _current;
    private FileEntry? _bound;

    /// <summary>Completes when <see cref="_current"/> is another one.</summary>
    private TaskCompletionSource _renewed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public KeptListener(UnixDomainSocketEndPoint endpoint, IConnectionListener first, SocketTransportFactory sockets, TimeProvider time, ILogger<KeptListener> log)
    {
        (_endpoint, _current, _sockets, _log) = (endpoint, first, sockets, log);
        _bound = FileEntry.At(Name);
        _watch = WatchAsync(time);
    }

    public EndPoint EndPoint => _endpoint;

    private string Name => _endpoint.ToString()!;

    public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
    {
        while (true)
        {
            // In this order: the other way round an old listener could be paired with the wait for the one after the next.
            var renewed = Volatile.Read(ref _renewed).Task;
            var current = Volatile.Read(ref _current);
            if (await current.AcceptAsync(cancellationToken) is not { } connection)
            {
                // No more from this one: for good, or because another takes its place.
                if (_end.IsCancellationRequested) return null;
                await Task.WhenAny(renewed, _watch);
                if (_end.IsCancellationRequested || !renewed.IsCompleted) return null;
                continue;
            }

            if (connection.Features.Get<IConnectionSocketFeature>() is not { Socket: var socket } || PeerCredentials.Of(socket).MayBeTrusted) return connection;
            connection.Abort(new ConnectionAbortedException("another user's"));
            await connection.DisposeAsync();
        }
    }

    public async ValueTask UnbindAsync(CancellationToken cancellationToken = default)
    {
        await _end.CancelAsync();
        await _watch;
        await _current.UnbindAsync(cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        if (!_end.IsCancellationRequested) await UnbindAsync();
        foreach (var listener in _before.Append(_current)) await listener.DisposeAsync();
        _end.Dispose();
    }

    private async Task WatchAsync(TimeProvider time)
    {
        using var timer = new PeriodicTimer(s_look, time);
        try
        {
            var told = false;
            while (await timer.WaitForNextTickAsync(_end.Token))
            {
                if (FileEntry.At(Name) is { } there && there == _bound) continue;
                try
                {
                    await RenewAsync();
                    LogRenewed(Name);
                    told = false;
                }
                catch (Exception e) when (Trouble.IsOfTheMachine(e) || e is SocketException)
                {
                    // Each half second until it can be; once is enough to say so.
                    if (!told) LogFailed(Name, e.Message);
                    told = true;
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The agent stops.
        }
    }

    private async Task RenewAsync()
    {
        var next = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        // First, for the end of a listener removes the file of its name, whoever made that.
        await _current.UnbindAsync();
        RunFolder.Prepare(Path.GetDirectoryName(Name)!);
        File.Delete(Name);
        var bound = await _sockets.BindAsync(_endpoint);
        _before.Add(_current);
        _bound = FileEntry.At(Name);
        Volatile.Write(ref _current, bound);
        Interlocked.Exchange(ref _renewed, next).SetResult();
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The socket {Name} was removed or changed and is bound anew")]
    private partial void LogRenewed(string name);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The socket {Name} was removed or changed and cannot be bound anew yet: {Why}")]
    private partial void LogFailed(string name, string why);
}
