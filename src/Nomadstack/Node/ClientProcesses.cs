// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Consul;
using Nomadstack.Nomad;
using Nomadstack.Preflight;
using Nomadstack.Processes;
using Nomadstack.Programs;
using Nomadstack.Servers;
using Nomadstack.Storage;

namespace Nomadstack.Node;

/// <summary>Writes the configuration of each member process and says how to run it. Operators add their own settings in <c>/etc/nomadstack</c>.</summary>
internal static class ClientProcesses
{
    public static ProcessSpec Nomad(NodeContext context, NodePrograms programs, IReadOnlyList<string> servers)
    {
        var (node, paths) = (context.Node, context.Paths);
        var folder = paths.Client(Role.Nomad);
        var config = NomadClientConfig.For(node.Name, node.Id, node.Address, node.Ports, Path.Combine(folder, "data"), paths.Plugins, context.Membership.Current is { Consul: true }) with
        {
            Servers = servers,
            NetworkInterface = AddressGuess.InterfaceOf(node.Address),
        };
        return Spec(context, programs, Role.Nomad, folder, config.Render(), "-config");
    }

    public static ProcessSpec Consul(NodeContext context, NodePrograms programs, IReadOnlyList<string> servers)
    {
        var (node, paths) = (context.Node, context.Paths);
        var folder = paths.Client(Role.Consul);
        var config = ConsulClientConfig.For(node.Name, node.Address, node.Ports, Path.Combine(folder, "data")) with { Join = servers };
        // The key for its web interface was renamed between versions; the flag was not.
        return Spec(context, programs, Role.Consul, folder, config.Render(), "-config-file", "-ui");
    }

    private static ProcessSpec Spec(NodeContext context, NodePrograms programs, string product, string folder, string config, string flag, params string[] more)
    {
        var file = Path.Combine(folder, "config.json");
        DurableText.Write(file, config);
        var program = programs.For(product, null);
        var own = Path.Combine("/etc/nomadstack", product + "-client.hcl");
        string[] arguments = File.Exists(own) ? ["agent", flag, file, flag, own, .. more] : ["agent", flag, file, .. more];
        return new(product + "-client", program.Path, program.Arguments(arguments), Path.Combine(context.Paths.Log, product + "-client.log"));
    }
}
