// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Driver;

/// <summary>Marks a connection to the driver's socket, and tells who made it.</summary>
internal sealed record DriverConnection(int PeerPid);
