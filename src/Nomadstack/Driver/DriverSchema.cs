// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Ground.Protocol.Hcl;

namespace Nomadstack.Driver;

/// <summary>The HCL that Nomad accepts: nothing in the client's <c>plugin</c> block; role and version in a task's <c>config</c>.</summary>
internal static class DriverSchema
{
    public static Spec PluginConfig() => new() { Object = new() };

    public static Spec TaskConfig() => new()
    {
        Object = new()
        {
            Attributes =
            {
                ["role"] = new() { Attr = new() { Name = "role", Type = "string", Required = true } },
                ["version"] = new() { Attr = new() { Name = "version", Type = "string" } },
            },
        },
    };
}
