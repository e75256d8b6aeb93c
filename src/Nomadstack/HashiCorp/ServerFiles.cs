// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Processes;
using Nomadstack.Products;
using Nomadstack.Programs;
using Nomadstack.Storage;

namespace Nomadstack.HashiCorp;

/// <summary>When autopilot makes a new server a voter.</summary>
internal static class Promotion
{
    /// <summary>
    /// Every 10 s autopilot checks for servers that have been stable for this long. It is shorter than the products' default of 10 s, so that a new server waits for one check and not for two.
    /// </summary>
    public static readonly TimeSpan Stabilization = TimeSpan.FromSeconds(3);
}

/// <summary>The files that the servers of both products have.</summary>
internal static class ServerFiles
{
    /// <summary>Writes the raft id once, and the configuration if it differs. Repeatable.</summary>
    public static void Write(ServerSite site, string configuration, string nodeIdFolder)
    {
        var nodeId = Path.Combine(nodeIdFolder, "node-id");
        if (!File.Exists(nodeId)) DurableText.Write(nodeId, site.RaftId);
        DurableText.Write(site.ConfigFile, configuration);
    }
}

/// <summary>A client's configuration file and arguments. Operators add their own settings in <c>/etc/nomadstack</c>.</summary>
internal static class ClientFiles
{
    /// <param name="flag">The option with which the product gets a configuration file.</param>
    public static ProcessSpec Write(Product product, NodeContext context, NodePrograms programs, string configuration, string flag, params string[] more)
    {
        var name = product.Name + "-client";
        var file = Path.Combine(context.Paths.Client(product.Name), "config.json");
        DurableText.Write(file, configuration);
        var program = programs.For(product, null);
        var own = Path.Combine("/etc/nomadstack", name + ".hcl");
        string[] arguments = File.Exists(own) ? ["agent", flag, file, flag, own, .. more] : ["agent", flag, file, .. more];
        return new(name, program.Path, program.Arguments(arguments), Path.Combine(context.Paths.Log, name + ".log"));
    }
}
