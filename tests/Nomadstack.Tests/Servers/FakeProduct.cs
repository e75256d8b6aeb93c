// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Ground.Http;
using Nomadstack.Peers;
using Nomadstack.Processes;
using Nomadstack.Products;
using Nomadstack.Security;
using Nomadstack.Storage;

namespace Nomadstack.Tests.Servers;

/// <summary>A product whose server is a process that sleeps. What the raft configuration names is up to the test.</summary>
internal sealed class FakeProduct(Product row, NodePaths paths) : IProduct
{
    public Product Row => row;

    /// <summary>What every server of the product answers; null when none does.</summary>
    public RaftView? Raft { get; set; }

    /// <summary>The join lists that servers were prepared with, latest last.</summary>
    public List<IReadOnlyList<string>> Joins { get; } = [];

    public List<string?> Versions { get; } = [];

    /// <summary>Ids of keys that its servers have on disk.</summary>
    public HashSet<string> Keys { get; } = [];

    public string ClientFinds => ProductPort.Rpc;

    public string UnknownClient => "unknown";

    /// <summary>What the next leave fails with; null for one that goes well.</summary>
    public Exception? LeaveFails { get; set; }

    /// <summary>The look-out for the end of the last leave.</summary>
    public Task? Watched { get; private set; }

    public IServerApi Server(Endpoint endpoint) => new FakeServerApi(endpoint.Text, () => Raft);

    public ProcessSpec PrepareDrill(ServerSite site, Credentials credentials, string gossipKey, IReadOnlyList<string> join) => throw new NotSupportedException();

    public ProcessSpec PrepareServer(ServerSite site, IReadOnlyList<string> join, int voters, string? version)
    {
        Joins.Add(join);
        Versions.Add(version);
        Directory.CreateDirectory(site.DataFolder);
        // Ends itself, should a test not.
        return new(site.ProcessName, "/bin/sleep", ["120"], Path.Combine(paths.Log, site.ProcessName + ".log"));
    }

    public Task LeaveAsync(Endpoint server, IOwnedProcess process, TimeSpan deadline, Task? gone, CancellationToken cancel)
    {
        Watched = gone;
        return LeaveFails is { } failure ? Task.FromException(failure) : process.StopAsync(Signals.SIGTERM, deadline, cancel, gone);
    }

    public SnapshotFacts ReadSnapshot(Stream from) => throw new NotSupportedException();

    public ProcessSpec PrepareThrowAway(ServerSite site, Credentials credentials) => throw new NotSupportedException();

    public IReadOnlySet<string> KeysOnDisk(ServerSite site) => Keys;

    public Task<IReadOnlySet<string>> KeysNeededAsync(ServerSite site, IReadOnlyList<Endpoint> servers, CancellationToken cancel) => Task.FromResult(KeysOnDisk(site));

    public Task<bool> IsClosedAsync(Endpoint server, CancellationToken cancel) => Task.FromResult(true);

    public Task<Answer<Done>> CloseAsync(ServerSite site, Endpoint server, CancellationToken cancel) => Task.FromResult<Answer<Done>>(new Answer<Done>.Ok(default));

    public Task<Answer<string>> MakeTokenAsync(Endpoint server, string name, CancellationToken cancel) => Task.FromResult<Answer<string>>(new Answer<string>.Ok("another " + name));

    public Task<Answer<Done>> RevokeOldTokensAsync(Endpoint server, string name, CancellationToken cancel) => Task.FromResult<Answer<Done>>(new Answer<Done>.Ok(default));

    public Task<Answer<string>> MakePersonsTokenAsync(Endpoint server, string name, string role, TimeSpan life, CancellationToken cancel) => Task.FromResult<Answer<string>>(new Answer<string>.Ok("token of " + name));

    public Task<Answer<IReadOnlyDictionary<string, string>>> NodeTokensAsync(Endpoint server, NodeEntry node, CancellationToken cancel) =>
        Task.FromResult<Answer<IReadOnlyDictionary<string, string>>>(new Answer<IReadOnlyDictionary<string, string>>.NoLeader("it sleeps"));

    public Task<Answer<int>> ForgetNodeTokensAsync(Endpoint server, Func<NodeMark, bool> isOver, CancellationToken cancel) => Task.FromResult<Answer<int>>(new Answer<int>.Ok(0));

    public Task<bool?> KnowsTokenAsync(Endpoint server, CancellationToken cancel) => Task.FromResult<bool?>(null);

    public string MemberName(string serverName) => serverName;

    public ProcessSpec PrepareClient(IReadOnlyList<string> servers) => throw new InvalidOperationException("it has no client");

    public void BeforeClientStart()
    {
    }

    public IClientApi? Client(Endpoint endpoint) => null;
}
