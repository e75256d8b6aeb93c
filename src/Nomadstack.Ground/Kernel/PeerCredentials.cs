// SPDX-License-Identifier: MPL-2.0
using System.Buffers.Binary;
using System.Net.Sockets;

namespace Nomadstack.Ground.Kernel;

/// <summary>Who is at the other end of a unix socket, as the kernel saw it when they connected or began to listen (SO_PEERCRED, unix(7)).</summary>
internal readonly record struct PeerCredentials(int Pid, uint User)
{
    private const int SolSocket = 1, SoPeerCred = 17;

    /// <summary>This process's own user, or root, who needs no socket to do as we do.</summary>
    public bool MayBeTrusted => User == 0 || User == Libc.GetEffectiveUserId();

    public static PeerCredentials Of(Socket socket)
    {
        Span<byte> credentials = stackalloc byte[12]; // pid, uid, gid
        socket.GetRawSocketOption(SolSocket, SoPeerCred, credentials);
        return new(BinaryPrimitives.ReadInt32LittleEndian(credentials), BinaryPrimitives.ReadUInt32LittleEndian(credentials[4..]));
    }
}
