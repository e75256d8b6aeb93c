// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Engine.Server;

/// <summary>A call was turned down, in Nomad's words and with its status.</summary>
internal class ServerException(int status, string message) : Exception(message)
{
    public int Status => status;

    public static ServerException NotFound(string message) => new(404, message);

    public static ServerException Invalid(string message) => new(400, message);

    public static ServerException Failed(string message) => new(500, message);
}

/// <summary>This server does not lead. Nothing was done; the leader may be asked.</summary>
internal sealed class NotLeaderException() : ServerException(500, "No cluster leader");
