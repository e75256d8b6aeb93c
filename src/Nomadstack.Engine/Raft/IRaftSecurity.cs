// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Engine.Raft;

/// <summary>What stands between a new connection to another server and the first word on it.</summary>
internal interface IRaftSecurity
{
    /// <summary>Connections that were made before this is cancelled are to be made anew.</summary>
    CancellationToken Changed { get; }

    /// <returns>What to speak on; the connection itself where it is not secured.</returns>
    /// <exception cref="System.Security.Authentication.AuthenticationException">One of the two does not believe the other.</exception>
    ValueTask<Stream> SecureAsync(Stream connection, CancellationToken cancel);
}
