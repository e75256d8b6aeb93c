// SPDX-License-Identifier: MPL-2.0
using System.Buffers.Binary;
using System.Net.Sockets;

namespace Nomadstack.Driver;

/// <summary>Marks a connection to the driver's socket, and names the process that made it, as the kernel saw it.</summary>
internal sealed record DriverConnection(int PeerPid, uint PeerUser)
{
    private const int SolSocket = 1, SoPeerCred = 17;

    public static DriverConnection Of(Socket socket)
    {
        Span<byte> credentials = stackalloc byte[12]; // pid, uid, gid
        socket.GetRawSocketOption(SolSocket, SoPeerCred, credentials);
        return BitConverter.IsLittleEndian
            ? new(BinaryPrimitives.ReadInt32LittleEndian(credentials), BinaryPrimitives.ReadUInt32LittleEndian(credentials[4..]))
            : new(BinaryPrimitives.ReadInt32BigEndian(credentials), BinaryPrimitives.ReadUInt32BigEndian(credentials[4..]));
    }
}
