// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Processes;
using Nomadstack.Products;
using Nomadstack.Servers;
using Nomadstack.Storage;

namespace Nomadstack.Tests.Servers;

/// <summary>A product whose server is a process that sleeps. What the raft configuration names is up to the test.</summary>
internal sealed class FakeProduct(string role, NodePaths paths) : IServerProduct
{
    public string Role => role;

    /// <summary>What every server of the product answers; null when none does.</summary>
    public RaftConfiguration? Raft { get; set; }

    /// <summary>The join lists that servers were prepared with, latest last.</summary>
    public List<IReadOnlyList<string>> Joins { get; } = [];

    public List<string?> Versions { get; } = [];

    public IServerApi Api(Uri http) => new FakeServerApi(role, http, () => Raft);

    public ProcessSpec Prepare(ServerSite site, IReadOnlyList<string> join, int voters, string? version)
    {
        Joins.Add(join);
        Versions.Add(version);
        Directory.CreateDirectory(site.DataFolder);
        // Ends itself, should a test not.
        return new(site.ProcessName, "/bin/sleep", ["120"], Path.Combine(paths.Log, site.ProcessName + ".log"));
    }

    public Task LeaveAsync(Uri http, SupervisedProcess process, TimeSpan deadline, Task? gone, CancellationToken cancel) => process.StopAsync(Signals.SIGTERM, deadline, cancel, gone);

    /// <summary>Ids of keys that its servers have on disk.</summary>
    public HashSet<string> Keys { get; } = [];

    public IReadOnlySet<string> KeysOnDisk(ServerSite site) => Keys;

    public Task<IReadOnlySet<string>> KeysNeededAsync(ServerSite site, IReadOnlyList<Uri> servers, CancellationToken cancel) => Task.FromResult(KeysOnDisk(site));

    public string MemberName(string serverName) => serverName;
}
