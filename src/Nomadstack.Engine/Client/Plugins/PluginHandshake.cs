// SPDX-License-Identifier: MPL-2.0
using System.Net;
using System.Net.Sockets;

namespace Nomadstack.Engine.Client.Plugins;

/// <summary>The first line that a plugin prints: where it listens, and which protocols it speaks.</summary>
internal static class PluginHandshake
{
    public const string CookieName = "NOMAD_PLUGIN_MAGIC_COOKIE";

    /// <summary>Tells a program that it was started as a plugin, not by hand. The value is that of every Nomad.</summary>
    public const string Cookie = "e4327c2e01eabfd75a8a67adb114fb34a757d57eee7728d857a8cec6e91a7255";

    private const string CoreProtocol = "1", AppProtocol = "2";

    /// <summary>What a plugin gets beside the client's own environment.</summary>
    public static readonly IReadOnlyDictionary<string, string> Environment = new Dictionary<string, string>
    {
        [CookieName] = Cookie,
        ["PLUGIN_MIN_PORT"] = "10000",
        ["PLUGIN_MAX_PORT"] = "25000",
        ["PLUGIN_PROTOCOL_VERSIONS"] = AppProtocol,
    };

    /// <exception cref="PluginException">The line is no handshake, or one of a plugin that this client cannot talk to.</exception>
    public static EndPoint Parse(string line)
    {
        var fields = line.Trim().Split('|');
        if (fields.Length < 4) throw new PluginException($"Unrecognized remote plugin message: {line.Trim()}. It may not be a plugin at all, or print something before it says hello.");
        if (fields[0] != CoreProtocol) throw new PluginException($"incompatible core API version with plugin: it speaks {fields[0]}, this client {CoreProtocol}");
        if (fields[1] != AppProtocol) throw new PluginException($"incompatible API version with plugin: it speaks {fields[1]}, this client {AppProtocol}");
        if (fields.Length < 5 || fields[4] != "grpc") throw new PluginException($"unsupported plugin protocol \"{(fields.Length < 5 ? "netrpc" : fields[4])}\": only grpc is");
        return fields[2] switch
        {
            "unix" => new UnixDomainSocketEndPoint(fields[3]),
            "tcp" when IPEndPoint.TryParse(fields[3], out var address) => address,
            _ => throw new PluginException($"unknown address {fields[2]}:{fields[3]}"),
        };
    }
}

/// <summary>A plugin cannot be used; the message says which and why.</summary>
internal sealed class PluginException(string message, Exception? inner = null) : Exception(message, inner);
