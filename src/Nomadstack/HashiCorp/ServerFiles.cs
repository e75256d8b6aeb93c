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
    /// Autopilot looks every 10 s for servers that have been stable this long. Shorter than the products' own 10 s, so that a new server waits for one look, not two.
    /// </summary>
    public static readonly TimeSpan Stabilization = TimeSpan.FromSeconds(3);
}

/// <summary>The files both products' servers have in common.</summary>
internal static class ServerFiles
{
    /// <summary>Writes the raft id, once, and the configuration when it differs. Repeatable.</summary>
    public static void Write(ServerSite site, string configuration, string nodeIdFolder)
    {
        var nodeId = Path.Combine(nodeIdFolder, "node-id");
        if (!File.Exists(nodeId)) DurableText.Write(nodeId, site.RaftId);
        DurableText.Write(site.ConfigFile, configuration);
    }
}

/// <summary>The file of a client, and how it is run. Operators add their own settings in <c>/etc/nomadstack</c>.</summary>
internal static class ClientFiles
{
    /// <param name="flag">How the product is told of a configuration file.</param>
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
