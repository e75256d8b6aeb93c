// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Text.RegularExpressions;
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Client;

/// <summary>A task's environment, and what <c>${…}</c> may name: the environment and its node's facts.</summary>
internal sealed partial class TaskEnvironment
{
    /// <summary>Inside a task with a file system of its own.</summary>
    private const string IsolatedAlloc = "/alloc", IsolatedLocal = "/local", IsolatedSecrets = "/secrets";

    private static readonly string[] s_cleaned = ["NOMAD_ADDR_", "NOMAD_IP_", "NOMAD_PORT_", "NOMAD_HOST_PORT_", "NOMAD_META_"];

    private TaskEnvironment(IReadOnlyDictionary<string, string> variables, IReadOnlyDictionary<string, string> node) => (Variables, Node) = (variables, node);

    /// <summary>What the task gets.</summary>
    public IReadOnlyDictionary<string, string> Variables { get; }

    /// <summary><c>node.…</c>, <c>attr.…</c> and <c>meta.…</c>.</summary>
    public IReadOnlyDictionary<string, string> Node { get; }

    /// <param name="host">The client's own environment; null for tasks that get none of it.</param>
    public static TaskEnvironment For(Node node, string region, Allocation allocation, JobTask task, AllocDir folders, bool isolated, IEnumerable<KeyValuePair<string, string>>? host)
    {
        var facts = Facts(node, region);
        var all = new SortedDictionary<string, string>(StringComparer.Ordinal)
        {
            ["NOMAD_ALLOC_DIR"] = isolated ? IsolatedAlloc : folders.Shared,
            ["NOMAD_TASK_DIR"] = isolated ? IsolatedLocal : folders.Local(task.Name),
            ["NOMAD_SECRETS_DIR"] = isolated ? IsolatedSecrets : folders.Secrets(task.Name),
            ["NOMAD_ALLOC_ID"] = allocation.ID,
            ["NOMAD_SHORT_ALLOC_ID"] = allocation.ID[..Math.Min(8, allocation.ID.Length)],
            ["NOMAD_ALLOC_NAME"] = allocation.Name,
            ["NOMAD_ALLOC_INDEX"] = allocation.Number.ToString(CultureInfo.InvariantCulture),
            ["NOMAD_GROUP_NAME"] = allocation.TaskGroup,
            ["NOMAD_TASK_NAME"] = task.Name,
            ["NOMAD_JOB_ID"] = allocation.Job.ID,
            ["NOMAD_JOB_NAME"] = allocation.Job.Name,
            ["NOMAD_DC"] = node.Datacenter,
            ["NOMAD_NAMESPACE"] = allocation.Namespace,
            ["NOMAD_REGION"] = region,
        };
        if (allocation.Job.ParentID.Length > 0) all["NOMAD_JOB_PARENT_ID"] = allocation.Job.ParentID;
        AddLimits(all, allocation, task);
        AddPorts(all, allocation);
        foreach (var (key, value) in allocation.Group is { } group ? allocation.Job.MetaOf(group, task) : new Dictionary<string, string>())
        {
            all["NOMAD_META_" + key.ToUpperInvariant()] = value;
            all["NOMAD_META_" + key] = value;
        }

        foreach (var (key, value) in host ?? []) all[key] = Replace(value, facts, all);
        foreach (var (key, value) in task.Env ?? new Dictionary<string, string>()) all[key] = Replace(value, facts, all);
        return new(Cleaned(all), facts);
    }

    /// <summary>Replaces the names that are known and leaves the others as they are.</summary>
    public string Replace(string text) => Replace(text, Node, Variables);

    private static string Replace(string text, IReadOnlyDictionary<string, string> first, IReadOnlyDictionary<string, string> second) =>
        Reference().Replace(text, match =>
        {
            var name = match.Groups[1].Value;
            return first.GetValueOrDefault(name) ?? second.GetValueOrDefault(name) ?? match.Value;
        });

    private static Dictionary<string, string> Facts(Node node, string region)
    {
        var facts = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["node.unique.id"] = node.ID,
            ["node.unique.name"] = node.Name,
            ["node.class"] = node.NodeClass,
            ["node.datacenter"] = node.Datacenter,
            ["node.region"] = region,
        };
        foreach (var (key, value) in node.Attributes) facts["attr." + key] = value;
        foreach (var (key, value) in node.Meta) facts["meta." + key] = value;
        return facts;
    }

    private static void AddLimits(SortedDictionary<string, string> all, Allocation allocation, JobTask task)
    {
        var given = allocation.AllocatedResources.Tasks.GetValueOrDefault(task.Name);
        Add("NOMAD_CPU_LIMIT", given?.Cpu.CpuShares ?? task.Resources.CPU);
        Add("NOMAD_MEMORY_LIMIT", given?.Memory.MemoryMB ?? task.Resources.MemoryMB);
        Add("NOMAD_MEMORY_MAX_LIMIT", given?.Memory.MemoryMaxMB ?? task.Resources.MemoryMaxMB);

        void Add(string name, long value)
        {
            if (value != 0) all[name] = value.ToString(CultureInfo.InvariantCulture);
        }
    }

    /// <summary>Ports belong to the group, so that every task of it sees them all.</summary>
    private static void AddPorts(SortedDictionary<string, string> all, Allocation allocation)
    {
        foreach (var port in (allocation.AllocatedResources.Shared.Networks ?? []).SelectMany(n => n.AllPorts))
        {
            all["NOMAD_PORT_" + port.Label] = Number(port.To > 0 ? port.To : port.Value);
            all["NOMAD_HOST_PORT_" + port.Label] = Number(port.Value);
        }

        foreach (var port in allocation.AllocatedResources.Shared.Ports ?? [])
        {
            var inside = Number(port.To > 0 ? port.To : port.Value);
            all["NOMAD_ADDR_" + port.Label] = all["NOMAD_HOST_ADDR_" + port.Label] = $"{port.HostIP}:{Number(port.Value)}";
            all["NOMAD_IP_" + port.Label] = all["NOMAD_HOST_IP_" + port.Label] = port.HostIP;
            all["NOMAD_PORT_" + port.Label] = all["NOMAD_ALLOC_PORT_" + port.Label] = inside;
            all["NOMAD_HOST_PORT_" + port.Label] = Number(port.Value);
        }

        static string Number(int value) => value.ToString(CultureInfo.InvariantCulture);
    }

    /// <summary>A shell could not read <c>NOMAD_PORT_my-port</c>.</summary>
    private static Dictionary<string, string> Cleaned(SortedDictionary<string, string> all)
    {
        var cleaned = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (key, value) in all)
            cleaned[s_cleaned.Any(p => key.StartsWith(p, StringComparison.Ordinal)) ? Unclean().Replace(key, "_") : key] = value;
        return cleaned;
    }

    [GeneratedRegex(@"\$\{([a-zA-Z0-9_\-\.]+)\}", RegexOptions.CultureInvariant)]
    private static partial Regex Reference();

    [GeneratedRegex("[^a-zA-Z0-9_]", RegexOptions.CultureInvariant)]
    private static partial Regex Unclean();
}
