// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Nomadstack.Cluster.Tests.Machines;

/// <summary>
/// One machine of a <see cref="Lab"/>: a power plug, a network cable, a disk, and a shell.
/// Without power none of its processes exists and /run is empty; what the kernel had accepted for the disk stays.
/// </summary>
internal sealed class LabNode
{
    /// <summary>Where <see cref="Tool"/>s appear on a node.</summary>
    public const string ToolFolder = "/mnt/bin";

    private readonly Lab _lab;
    private readonly IReadOnlyList<Tool> _tools;
    private int _logs;

    internal LabNode(Lab lab, string name, string address, IReadOnlyList<Tool> tools)
    {
        _lab = lab;
        _tools = tools;
        Name = name;
        Address = address;
    }

    public string Name { get; }

    public string Address { get; private set; }

    /// <summary>Pid of the node's init on this machine, or null while the power is off.</summary>
    public int? Init { get; private set; }

    public bool IsOn => Init is { } init && NodeProcess.StartedAt(init) is not null;

    /// <summary>The node's disk: <c>data</c> is /var/lib/nomadstack there, <c>etc</c> is /etc/nomadstack, <c>srv</c> is /srv.</summary>
    public string Disk => Path.Combine(Folder, "disk");

    public string Data => Path.Combine(Disk, "data");

    public string Srv => Path.Combine(Disk, "srv");

    internal string Namespace => $"nslab{_lab.Number}-{Name}";

    private string Folder => Path.Combine(_lab.Folder, Name);

    /// <summary>Every process of the node now, its init left out.</summary>
    public IReadOnlyList<NodeProcess> Pids() => Init is { } init ? [.. NodeProcess.InNamespaceOf(init).Where(process => process.Pid != init && process.InnerPid != 1)] : [];

    public async Task PowerOnAsync()
    {
        if (IsOn) return;
        foreach (var folder in new[] { Data, Srv, Path.Combine(Disk, "etc"), Path.Combine(Folder, "tools") }) Directory.CreateDirectory(folder);
        await File.WriteAllTextAsync(Path.Combine(Folder, "boot_id"), Guid.NewGuid() + "\n");
        var ready = Path.Combine(Folder, "init");
        File.Delete(ready);
        await File.WriteAllTextAsync(Path.Combine(Folder, "boot.sh"), BootScript());
        var log = Path.Combine(Folder, "init.log");
        Start(["setsid", "nsenter", $"--net=/run/netns/{Namespace}", "unshare", "--mount", "--uts", "--pid", "--fork", "--kill-child", "bash", Path.Combine(Folder, "boot.sh")], log, CleanEnvironment());
        await Eventually.TrueAsync($"power on {Name}", TimeSpan.FromSeconds(10), () => Task.FromResult(File.Exists(ready)), () => File.ReadAllText(log));
        Init = int.Parse(await File.ReadAllTextAsync(ready), CultureInfo.InvariantCulture);
        await PlugAsync();
    }

    /// <summary>
    /// Pulls the plug: the cable first, so that no kernel says goodbye for what died, then SIGKILL to the node's init, with which the kernel ends everything on it. Returns when nothing is left.
    /// </summary>
    public async Task PowerOffAsync()
    {
        if (Init is not { } init) return;
        await CutAsync();
        await Command.MustAsync("ip", "-n", Namespace, "neigh", "flush", "dev", "eth0");
        var all = NodeProcess.InNamespaceOf(init);
        all.FirstOrDefault(process => process.Pid == init)?.Signal(NodeProcess.Kill);
        await Eventually.TrueAsync($"power off {Name}", TimeSpan.FromSeconds(10), () => Task.FromResult(!all.Any(process => process.Alive)));
        Init = null;
    }

    /// <summary>Power off and an empty disk: a replaced machine.</summary>
    public async Task WipeAsync()
    {
        await PowerOffAsync();
        Directory.Delete(Disk, recursive: true);
    }

    /// <summary>Pulls the network cable: the link goes down.</summary>
    public Task CutAsync() => Command.MustAsync("ip", "-n", _lab.Switch, "link", "set", Name, "down");

    /// <summary>Plugs the network cable in again.</summary>
    public Task PlugAsync() => Command.MustAsync("ip", "-n", _lab.Switch, "link", "set", Name, "up");

    /// <summary>
    /// Gives the node another address of the lab's subnet. All neighbours forget who had which, as they do when a DHCP client announces its address: else they send to the machine that had it before,
    /// for up to a minute.
    /// </summary>
    public async Task ReaddressAsync(int host)
    {
        Address = $"10.78.{_lab.Number}.{host}";
        await Command.MustAsync("ip", "-n", Namespace, "addr", "flush", "dev", "eth0");
        await AddressAsync();
        await _lab.ForgetNeighboursAsync();
    }

    /// <summary>Runs a command on the node, as root, to its end.</summary>
    public Task<Output> ExecAsync(IReadOnlyList<string> command, TimeSpan? deadline = null, IReadOnlyDictionary<string, string>? environment = null) =>
        Command.RunAsync([.. Enter(), .. command], deadline, CleanEnvironment(environment));

    /// <summary>Starts a command on the node in a session of its own, as an init system would; its output goes to a file that is kept.</summary>
    public LabProgram Background(string name, IReadOnlyList<string> command, IReadOnlyDictionary<string, string>? environment = null)
    {
        var log = Path.Combine(Folder, $"{name}.{++_logs}.log");
        var entered = Start([.. Enter(), "setsid", .. command], log, CleanEnvironment(environment));
        return new(this, name, log, entered);
    }

    internal async Task WireAsync()
    {
        Directory.CreateDirectory(Folder);
        await Command.MustAsync("ip", "netns", "add", Namespace);
        await Command.MustAsync("ip", "-n", _lab.Switch, "link", "add", Name, "type", "veth", "peer", "name", "eth0", "netns", Namespace);
        await Command.MustAsync("ip", "-n", _lab.Switch, "link", "set", Name, "master", "br0", "up");
        await Command.MustAsync("ip", "-n", Namespace, "link", "set", "lo", "up");
        await AddressAsync();
    }

    private async Task AddressAsync()
    {
        await Command.MustAsync("ip", "-n", Namespace, "addr", "add", $"{Address}/24", "dev", "eth0");
        await Command.MustAsync("ip", "-n", Namespace, "link", "set", "eth0", "up");
        // Nomad looks for the interface of a default route that has a gateway. Nobody is there: no node reaches the world.
        await Command.MustAsync("ip", "-n", Namespace, "route", "replace", "default", "via", $"10.78.{_lab.Number}.253", "dev", "eth0");
    }

    private string[] Enter() =>
        IsOn ? ["nsenter", "--target", Init!.Value.ToString(CultureInfo.InvariantCulture), "--mount", "--uts", "--net", "--pid", "--"]
            : throw new InvalidOperationException($"{Name} is off.");

    private string BootScript()
    {
        var script = new StringBuilder($"""
            set -e
            cd '{Folder}'  # reachable from here even when its path is covered below
            read -r pid _ < /proc/self/stat  # before /proc is the node's own: the pid on the machine
            mount --make-rprivate /
            mount -t proc proc /proc
            mount --bind '{Folder}/boot_id' /proc/sys/kernel/random/boot_id
            mkdir -p /var/lib/nomadstack /etc/nomadstack
            mount -t tmpfs -o mode=755 tmpfs /mnt
            mkdir -p {ToolFolder} /mnt/tools /mnt/cgroup
            # /sys shows the devices of the network it was mounted in; control groups stay the machine's.
            mount --rbind /sys/fs/cgroup /mnt/cgroup
            mount -t sysfs sysfs /sys
            mount --move /mnt/cgroup /sys/fs/cgroup

            """);
        foreach (var tool in _tools)
        {
            var where = $"/mnt/tools/{tool.Name}";
            var real = File.ResolveLinkTarget(tool.Program, returnFinalTarget: true)?.FullName ?? Path.GetFullPath(tool.Program);
            script.AppendLine(tool.Folder
                ? $"mkdir {where}; mount --bind '{Path.GetDirectoryName(real)}' {where}; ln -s {where}/{Path.GetFileName(real)} {ToolFolder}/{tool.Name}"
                : $"touch {ToolFolder}/{tool.Name}; mount --bind '{real}' {ToolFolder}/{tool.Name}");
        }

        script.AppendLine($"""
            mount --bind '{Data}' /var/lib/nomadstack
            mount --bind '{Disk}/etc' /etc/nomadstack
            mount --bind '{Srv}' /srv
            hostname {Name}
            mount -t tmpfs -o mode=755 tmpfs /run
            mount -t tmpfs -o mode=1777 tmpfs /tmp
            rm -rf /run/mount  # a note of the mount program about the lines above
            echo $pid > init.new
            mv init.new init
            trap : TERM
            while :; do sleep 3600 & wait $! || true; done
            """);
        return script.ToString();
    }

    private static Dictionary<string, string> CleanEnvironment(IReadOnlyDictionary<string, string>? more = null)
    {
        var environment = new Dictionary<string, string>
        {
            ["PATH"] = ToolFolder + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            ["HOME"] = "/root",
            ["LANG"] = "C.UTF-8",
            ["TERM"] = "dumb",
        };
        foreach (var (name, value) in more ?? new Dictionary<string, string>()) environment[name] = value;
        return environment;
    }

    private static Process Start(IReadOnlyList<string> command, string log, Dictionary<string, string> environment)
    {
        var start = new ProcessStartInfo("/bin/sh") { WorkingDirectory = "/" };
        foreach (var argument in new[] { "-c", "log=$1; shift; exec \"$@\" >>\"$log\" 2>&1 </dev/null", "sh", log }.Concat(command)) start.ArgumentList.Add(argument);
        start.Environment.Clear();
        foreach (var (name, value) in environment) start.Environment[name] = value;
        return Process.Start(start)!;
    }
}
