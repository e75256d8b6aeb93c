// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Scheduling;

/// <summary>Which ports of a node are taken, address by address.</summary>
internal sealed class PortIndex
{
    /// <summary>Where dynamic ports begin and end, both included, unless the node says otherwise.</summary>
    public const int MinDynamicPort = 20000;
    public const int MaxDynamicPort = 32000;

    private readonly Dictionary<string, HashSet<int>> _used = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _addressOf = new(StringComparer.Ordinal);
    private readonly HashSet<int> _reserved;
    private readonly int _min;
    private readonly int _max;

    public PortIndex(Node node)
    {
        _reserved = [.. PortRanges.Parse(node.ReservedResources.Networks.ReservedHostPorts)];
        (_min, _max) = (node.NodeResources.MinDynamicPort, node.NodeResources.MaxDynamicPort);
        if (_min <= 0 || _max < _min) (_min, _max) = (MinDynamicPort, MaxDynamicPort);
        foreach (var address in node.NodeResources.NodeNetworks.SelectMany(n => n.Addresses))
        {
            // The first address of a host network is the one its ports are on.
            _addressOf.TryAdd(address.Alias, address.Address);
            Used(address.Address).UnionWith(PortRanges.Parse(address.ReservedPorts));
        }

        if (_addressOf.Count == 0 && node.NodeResources.Networks.FirstOrDefault(n => n.IP.Length > 0) is { } network)
            _addressOf[NetworkResource.DefaultHostNetwork] = network.IP;
    }

    /// <summary>Takes these ports; the first that is taken already, or null.</summary>
    public AllocatedPort? Add(IEnumerable<AllocatedPort> ports)
    {
        AllocatedPort? collision = null;
        foreach (var port in ports)
            if (_reserved.Contains(port.Value) || !Used(port.HostIP).Add(port.Value)) collision ??= port;
        return collision;
    }

    /// <summary>Ports for what a group asks, or why there are none. Takes nothing yet.</summary>
    public (IReadOnlyList<AllocatedPort> Ports, string? Refusal) Offer(NetworkResource ask, Node node, Random random)
    {
        var offer = new List<AllocatedPort>();
        foreach (var port in ask.ReservedPorts ?? [])
        {
            if (AddressOf(port, node) is not { } address) return Refused($"no addresses available for \"{port.HostNetwork}\" network");
            if (IsTaken(address, port.Value, offer)) return Refused($"reserved port collision {port.Label}={port.Value}");
            offer.Add(new AllocatedPort(port.Label, port.Value, port.To, address));
        }

        foreach (var port in ask.DynamicPorts ?? [])
        {
            if (AddressOf(port, node) is not { } address) return Refused($"no addresses available for \"{port.HostNetwork}\" network");
            if (FindFree(address, offer, random) is not { } value) return Refused("dynamic port selection failed");
            offer.Add(new AllocatedPort(port.Label, value, port.To == -1 ? value : port.To, address));
        }

        return (offer, null);
    }

    /// <summary>Starts anywhere, so that a port just given back is not the next to be taken, then tries them all.</summary>
    private int? FindFree(string address, List<AllocatedPort> offer, Random random)
    {
        var size = _max - _min + 1;
        var start = random.Next(size);
        for (var i = 0; i < size; i++)
        {
            var port = _min + (start + i) % size;
            if (!IsTaken(address, port, offer)) return port;
        }

        return null;
    }

    private bool IsTaken(string address, int port, List<AllocatedPort> offer) =>
        _reserved.Contains(port) || Used(address).Contains(port) || offer.Any(o => o.HostIP == address && o.Value == port);

    private string? AddressOf(Port port, Node node) =>
        ConstraintCheck.Resolve(port.HostNetwork.Length > 0 ? port.HostNetwork : NetworkResource.DefaultHostNetwork, node) is { } network ? _addressOf.GetValueOrDefault(network) : null;

    private HashSet<int> Used(string address)
    {
        if (!_used.TryGetValue(address, out var used)) _used[address] = used = [];
        return used;
    }

    private static (IReadOnlyList<AllocatedPort>, string?) Refused(string why) => ([], why);
}
