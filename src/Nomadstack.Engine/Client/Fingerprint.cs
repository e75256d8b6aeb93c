// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.State;
using Nomadstack.Ground.Kernel;

namespace Nomadstack.Engine.Client;

/// <summary>What this machine is, under the names that jobs constrain on.</summary>
internal sealed class Fingerprint(ClientOptions options)
{
    private const int DefaultSpeed = 1000;

    /// <summary>Without drivers, which have fingerprints of their own.</summary>
    public Node Node(string id, string secretId)
    {
        var attributes = new Dictionary<string, string>(StringComparer.Ordinal);
        var name = options.NodeName.Length > 0 ? options.NodeName : Environment.MachineName;
        AddHost(attributes);
        var cpu = Cpu(attributes);
        var memory = Memory(attributes);
        var disk = Disk(attributes);
        var networks = Networks(attributes);
        attributes["nomad.version"] = options.Version;
        if (options.HttpAddress.Length > 0) attributes["nomad.advertise.address"] = options.HttpAddress;
        return new Node
        {
            ID = id,
            SecretID = secretId,
            Name = name,
            Datacenter = options.Datacenter,
            NodeClass = options.NodeClass,
            HTTPAddr = options.HttpAddress,
            TLSEnabled = options.HttpSpeaksTls,
            Meta = options.Meta,
            Attributes = attributes,
            Status = NodeStatus.Initializing,
            NodeResources = new NodeResources
            {
                Cpu = cpu,
                Memory = new NodeMemory { MemoryMB = memory },
                Disk = new NodeDisk { DiskMB = disk },
                Networks = [.. networks.Where(n => n.Addresses.Count > 0).SelectMany(n => n.Addresses.Select(a => ResourceOf(n, a)))],
                NodeNetworks = networks,
                MinDynamicPort = options.MinDynamicPort,
                MaxDynamicPort = options.MaxDynamicPort,
            },
            ReservedResources = new NodeReservedResources
            {
                Cpu = new NodeCpu { CpuShares = options.ReservedCpu },
                Memory = new NodeMemory { MemoryMB = options.ReservedMemoryMB },
                Disk = new NodeDisk { DiskMB = options.ReservedDiskMB },
                Networks = new ReservedNetworks(options.ReservedPorts),
            },
        };
    }

    private static void AddHost(Dictionary<string, string> attributes)
    {
        attributes["kernel.name"] = "linux";
        attributes["kernel.version"] = File.ReadAllText("/proc/sys/kernel/osrelease").Trim();
        attributes["unique.hostname"] = Environment.MachineName;
        attributes["os.signals"] = string.Join(',', SignalNames.All);
        if (!File.Exists("/etc/os-release")) return;
        var release = File.ReadLines("/etc/os-release").Select(l => l.Split('=', 2)).Where(p => p.Length == 2).ToLookup(p => p[0], p => p[1].Trim('"'));
        if (release["ID"].FirstOrDefault() is { } os) attributes["os.name"] = os;
        var version = release["VERSION_ID"].FirstOrDefault();
        // Debian's release file knows the major version alone.
        if (release["ID"].FirstOrDefault() == "debian" && File.Exists("/etc/debian_version")) version = File.ReadAllText("/etc/debian_version").Trim();
        if (version is not null) attributes["os.version"] = version;
    }

    private NodeCpu Cpu(Dictionary<string, string> attributes)
    {
        var cores = Environment.ProcessorCount;
        var facts = File.ReadLines("/proc/cpuinfo").Select(l => l.Split(':', 2)).Where(p => p.Length == 2).ToLookup(p => p[0].Trim(), p => p[1].Trim());
        var mhz = facts["cpu MHz"].Select(v => double.Parse(v, CultureInfo.InvariantCulture)).DefaultIfEmpty(0).Max();
        const string limit = "/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq";
        if (File.Exists(limit) && double.TryParse(File.ReadAllText(limit), CultureInfo.InvariantCulture, out var khz) && khz > 0) mhz = khz / 1000;
        attributes["cpu.arch"] = RuntimeInformation.OSArchitecture switch
        {
            Architecture.X64 => "amd64",
            Architecture.X86 => "386",
            var other => other.ToString().ToLowerInvariant(),
        };
        attributes["cpu.numcores"] = cores.ToString(CultureInfo.InvariantCulture);
        if (facts["model name"].FirstOrDefault() is { } model) attributes["cpu.modelname"] = model;
        if (mhz > 0) attributes["cpu.frequency"] = Math.Round(mhz).ToString(CultureInfo.InvariantCulture);
        // As HashiCorp's client, which guesses low where the machine does not tell.
        var total = options.CpuTotalCompute > 0 ? options.CpuTotalCompute : mhz > 0 ? (long)(Math.Floor(mhz) * cores) : 1000;
        attributes["cpu.totalcompute"] = total.ToString(CultureInfo.InvariantCulture);
        return new NodeCpu { CpuShares = total, TotalCpuCores = cores };
    }

    private long Memory(Dictionary<string, string> attributes)
    {
        var line = File.ReadLines("/proc/meminfo").First(l => l.StartsWith("MemTotal:", StringComparison.Ordinal));
        var bytes = options.MemoryTotalMB > 0 ? options.MemoryTotalMB * 1024L * 1024 : long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024;
        attributes["memory.totalbytes"] = bytes.ToString(CultureInfo.InvariantCulture);
        return bytes / (1024 * 1024);
    }

    private long Disk(Dictionary<string, string> attributes)
    {
        var drive = new DriveInfo(options.AllocDir);
        attributes["unique.storage.bytestotal"] = drive.TotalSize.ToString(CultureInfo.InvariantCulture);
        attributes["unique.storage.bytesfree"] = drive.AvailableFreeSpace.ToString(CultureInfo.InvariantCulture);
        attributes["unique.storage.volume"] = drive.Name;
        return drive.AvailableFreeSpace / (1024 * 1024);
    }

    /// <summary>Only the interface that ports are given out on.</summary>
    private List<NodeNetwork> Networks(Dictionary<string, string> attributes)
    {
        var wanted = options.NetworkInterface.Length > 0 ? options.NetworkInterface : DefaultInterface();
        if (NetworkInterface.GetAllNetworkInterfaces().FirstOrDefault(i => i.Name == wanted) is not { } found) return [];
        var all = found.GetIPProperties().UnicastAddresses.Select(a => a.Address).ToList();
        var addresses = all.Where(a => !IsLinkLocal(a)).DefaultIfEmpty(all.FirstOrDefault()).OfType<IPAddress>().ToList();
        if (addresses.Count > 0) attributes["unique.network.ip-address"] = addresses[0].ToString();
        return
        [
            new NodeNetwork
            {
                Mode = "host",
                Device = found.Name,
                MacAddress = string.Join(':', Convert.ToHexStringLower(found.GetPhysicalAddress().GetAddressBytes()).Chunk(2).Select(c => new string(c))),
                Speed = found.Speed > 1_000_000 ? (int)(found.Speed / 1_000_000) : DefaultSpeed,
                Addresses = [.. addresses.Select(a => new NodeAddress(a.AddressFamily == AddressFamily.InterNetwork ? "ipv4" : "ipv6", NetworkResource.DefaultHostNetwork, a.ToString(), "", ""))],
            },
        ];
    }

    private static NetworkResource ResourceOf(NodeNetwork network, NodeAddress address) =>
        new() { Mode = "host", Device = network.Device, IP = address.Address, CIDR = address.Address + (address.Family == "ipv4" ? "/32" : "/128"), MBits = network.Speed };

    private static bool IsLinkLocal(IPAddress address) => address.IsIPv6LinkLocal || (address.AddressFamily == AddressFamily.InterNetwork && address.GetAddressBytes() is [169, 254, ..]);

    private static string DefaultInterface() =>
        File.ReadLines("/proc/net/route").Skip(1).Select(l => l.Split('\t')).FirstOrDefault(r => r.Length > 2 && r[1] == "00000000")?[0]
        ?? throw new ClientStateException("The machine has no default route, so the client cannot choose a network interface. Set client.network_interface.");
}
