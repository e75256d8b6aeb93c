// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging.Abstractions;
using Nomadstack.Cluster;
using Nomadstack.Nomad;
using Nomadstack.Peers;
using Nomadstack.Products;
using Nomadstack.Programs;
using Nomadstack.Storage;
using Nomadstack.Tests.HashiCorp.RaftData;
using Nomadstack.Tests.Products;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Nomad;

/// <summary>The raft data of a server, whoever provides it.</summary>
public sealed class NomadRaftTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private ServerSite Site => Role.Site(Role.Nomad, _folder.Path);

    private string Raft => Path.Combine(Site.DataFolder, "server", "raft");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task ItsPeersAreReadAndReplacedInItsOwnFolder()
    {
        Write("raft.db", new BoltBuilder().Bucket("conf", RaftRecords.Term(2)).Bucket("logs", RaftRecords.Entry(1, 1, RaftRecords.Configuration, RaftRecords.ConfigurationOf(RaftRecords.Peers(3)))).Build());
        var product = Nomad(new(Role.Nomad, "/bin/nomad", [], new(1, 10, 0)));

        var found = await product.RaftOnDiskAsync(Site, default);
        product.WritePeers(Site, [found.Peers![0]]);

        found.Voters.Count().ShouldBe(2);
        File.Exists(Path.Combine(Raft, "peers.json")).ShouldBeTrue();
        File.Exists(Path.Combine(Raft, "peers.info")).ShouldBeTrue();
    }

    [Fact]
    public void AServerThatWouldPassOverItsLogIsNotStarted()
    {
        var product = Nomad(new(Role.Nomad, "/bin/nomad", [], new(2, 0, 5)));
        Directory.CreateDirectory(Path.Combine(Raft, "wal"));
        product.BeforeServerStart(Site);
        Write("wal/wal-meta.db", WalBuilder.Meta(1));

        var problem = Should.Throw<ProblemException>(() => product.BeforeServerStart(Site)).Problem;

        (problem.Code, problem.Unsafe, problem.Lasting).ShouldBe(("raft/wal", true, false));
        problem.Why.ShouldContain(Path.Combine(Raft, "wal"));
    }

    [Fact]
    public async Task TheEmbeddedEngineIsAskedForItsOwnFiles()
    {
        var engine = Engine("""[ "$1 $2" = "engine raft" ] && [ -d "$3" ] && echo '{"term":5,"lastTerm":4,"lastIndex":9,"peersIndex":3,"peers":[{"id":"a","address":"10.0.0.1:4647","voter":true}]}'""");
        Directory.CreateDirectory(Site.DataFolder);

        var found = await Nomad(engine).RaftOnDiskAsync(Site, default);

        (found.State, found.Why, found.Term, found.LastTerm, found.LastIndex, found.PeersIndex).ShouldBe((RaftDataState.Present, null, 5, 4, 9, 3));
        found.Peers.ShouldBe([new("a", "10.0.0.1:4647", true)]);
    }

    [Theory]
    [InlineData("""echo '{"term":2,"lastTerm":0,"lastIndex":0,"peersIndex":0,"peers":[]}'""", null)]
    [InlineData("echo '==> log-0000000001 is damaged at byte 7.' >&2; exit 1", "log-0000000001 is damaged at byte 7.")]
    [InlineData("echo '{\"term\":'", "cannot be understood")]
    [InlineData("echo '{}'", "cannot be understood")]
    public async Task WhatTheEngineCannotReadIsTold(string says, string? why)
    {
        var found = await Nomad(Engine(says)).RaftOnDiskAsync(Site, default);

        if (why is null) found.ShouldBe(RaftOnDisk.Blank with { Term = 2 });
        else found.Why.ShouldNotBeNull().ShouldContain(why);
    }

    [Fact]
    public async Task AnEngineThatIsGoneIsTold() =>
        (await Nomad(new(EngineKind.Embedded, _folder.Path + "/gone", ["engine"], new(1, 1, 2))).RaftOnDiskAsync(Site, default)).Why.ShouldNotBeNull().ShouldContain("cannot be started");

    private ProductProgram Engine(string script)
    {
        var path = Path.Combine(_folder.Path, "engine");
        File.WriteAllText(path, "#!/bin/sh\n" + script + "\n");
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return new(EngineKind.Embedded, path, ["engine"], new(1, 1, 2));
    }

    private IProduct Nomad(ProductProgram program)
    {
        var (paths, time) = (new NodePaths(_folder.Sub("node")), TimeProvider.System);
        var node = new NodeFile { Id = "1", Name = "n1", Address = "10.0.0.1" };
        var context = new NodeContext(node, paths, new Membership(paths, node, time), ProductTable.Known, time, NullLoggerFactory.Instance);
        return new NomadProduct(Role.Row(Role.Nomad), context, new NodePrograms(paths, ProductTable.Known, new Dictionary<string, IReadOnlyList<ProductProgram>> { [Role.Nomad] = [program] }, () => null), () => null);
    }

    private void Write(string name, byte[] content)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(Raft, name))!);
        File.WriteAllBytes(Path.Combine(Raft, name), content);
    }
}
