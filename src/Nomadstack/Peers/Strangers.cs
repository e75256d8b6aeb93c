// SPDX-License-Identifier: MPL-2.0
using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Nomadstack.Peers;

/// <summary>
/// Connections to the peer port that have shown no member's certificate: so many at once, so many from one address, so long each. Anybody may open one, and each costs
/// some 60 KB; a node that joins needs two of them for a second. Those from a member's own address count by themselves, so that no stranger can keep members apart.
/// </summary>
internal sealed class Strangers(Func<IPAddress, bool> isMembers, TimeProvider time)
{
    public const int AtOnce = 128, FromOneAddress = 32;

    /// <summary>A node that asks to join gives up after eight seconds (<see cref="Joining"/>).</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromSeconds(30);

    private readonly Dictionary<IPAddress, int> _connected = [];
    private readonly Lock _lock = new();
    private int _all;

    /// <summary>How many there are.</summary>
    public int Count
    {
        get
        {
            lock (_lock) return _connected.Values.Sum();
        }
    }

    /// <summary>To be used before TLS, where a connection costs least.</summary>
    public void Bound(ListenOptions listen) => listen.Use(next => async connection =>
    {
        if (Enter((connection.RemoteEndPoint as IPEndPoint)?.Address ?? IPAddress.None) is not { } pass)
        {
            connection.Abort(new ConnectionAbortedException("too many connections without a certificate"));
            return;
        }

        connection.Features.Set(pass);
        await using var limit = time.CreateTimer(
            _ =>
            {
                if (!pass.IsOver) connection.Abort(new ConnectionAbortedException("no certificate in time"));
            },
            null, Longest, Timeout.InfiniteTimeSpan);
        try
        {
            await next(connection);
        }
        finally
        {
            pass.Dispose();
        }
    });

    /// <summary>To be used behind TLS: whoever showed a certificate, which was checked there, is no stranger any more.</summary>
    public static void Know(ListenOptions listen) => listen.Use(next => connection =>
    {
        if (connection.Features.Get<ITlsConnectionFeature>()?.ClientCertificate is not null) connection.Features.Get<Pass>()?.Dispose();
        return next(connection);
    });

    /// <summary>One more from there; null where there are too many.</summary>
    internal Pass? Enter(IPAddress address)
    {
        var foreign = !isMembers(address);
        lock (_lock)
        {
            var here = _connected.GetValueOrDefault(address);
            if ((foreign && _all >= AtOnce) || here >= FromOneAddress) return null;
            _connected[address] = here + 1;
            if (foreign) _all++;
            return new(this, address, foreign);
        }
    }

    private void Leave(IPAddress address, bool foreign)
    {
        lock (_lock)
        {
            if (foreign) _all--;
            if (--_connected[address] == 0) _connected.Remove(address);
        }
    }

    /// <summary>A stranger's place, given back once.</summary>
    internal sealed class Pass(Strangers strangers, IPAddress address, bool foreign) : IDisposable
    {
        private int _over;

        public bool IsOver => Volatile.Read(ref _over) != 0;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _over, 1) == 0) strangers.Leave(address, foreign);
        }
    }
}
