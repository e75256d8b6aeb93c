// SPDX-License-Identifier: MPL-2.0
using System.Text;
using Nomadstack.Api;
using Nomadstack.ColdBoot;
using Nomadstack.Node;
using Nomadstack.Peers;
using Nomadstack.Products;
using Nomadstack.Tests.Peers;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Room;

/// <summary>A client node beside three server nodes: what it gets, what it never gets, and what the cluster does with it.</summary>
public sealed class ClientNodeInTheRoomTests : IDisposable
{
    private readonly RoomStack _stack = new();

    public void Dispose() => _stack.Dispose();

    [Fact]
    public async Task ItsWholeDiskHasNoSecretOfTheClusterInAnyForm()
    {
        await _stack.MakeAsync(nodes: 3, servers: 3);
        var client = await _stack.LetInClientAsync(4);

        // Everything that server nodes know, as the one that made the cluster has it.
        var secrets = Secrets(_stack.Agent(1)).ToList();
        secrets.Select(s => s.Name).ShouldBe(["ca.fourth.key", "ca.nomad.key", "gossip.nomad", "token.fourth.management", "token.nomad.management", "the CA's key"], ignoreOrder: true);
        DiskSearch.For(client.Context.Paths.Data, secrets).ShouldBeEmpty();
        // And the search finds what is there.
        DiskSearch.For(client.Context.Paths.Data, _stack.Room.NodeTokens.Values.Select(t => ("own token", t))).Select(found => found.Split(" in ")[1]).Distinct().ShouldBe(["pki/fourth/given.json", "pki/nomad/given.json"], ignoreOrder: true);
        DiskSearch.For(_stack.Agent(1).Context.Paths.Data, secrets).Select(found => found.Split(" (")[0]).Distinct().ShouldBe(["the CA's key"], "sealed, but for the key that is not a secret of the store");
    }

    [Fact]
    public async Task ItRunsTheSchedulersClientAndNoServers()
    {
        await _stack.MakeAsync(nodes: 3, servers: 5);
        await _stack.LetInClientAsync(4);
        var client = await _stack.LetInClientAsync(5);

        _stack.Room.Clients.ShouldContain("n5");
        foreach (var job in _stack.Room.Jobs.Values) job.Count.ShouldBe(3, "five nodes, three of them for servers");
        client.Host.Servers.ShouldBeEmpty();
        (await client.Status.ReadAsync(_stack.Limit)).Nodes.Select(n => (n.Name, n.Kind)).ShouldBe([("n1", "server"), ("n2", "server"), ("n3", "server"), ("n4", "client"), ("n5", "client")]);
    }

    [Fact]
    public async Task ItSaysATokenOfItsOwnWhereverItCalls()
    {
        await _stack.MakeAsync(nodes: 3, servers: 3);
        var client = await _stack.LetInClientAsync(4);

        foreach (var product in RoomStack.Table.Stack)
        {
            var own = _stack.Room.NodeTokens.Single(t => t.Key.Product == product.Name).Value;
            client.Context.Endpoints.OfServer(product, "127.0.0.1", 1).Token!.Read().ShouldBe(own);
            client.Context.Trust.Token(product, SecretNames.Management).ShouldBe(own, "whatever is asked for");
            client.Context.Trust.Gossip(product).ShouldBeNull();
        }
    }

    [Fact]
    public async Task ADrainOfAServerNodeDoesNotCountItAsAnHeir()
    {
        await _stack.MakeAsync(nodes: 3, servers: 3);
        await _stack.LetInClientAsync(4);
        await _stack.Agent(2).Drain.OrderAsync("n1", new DrainRequest(), _stack.Limit);
        await _stack.UntilAsync("the scheduler to have stopped what ran there", () => Task.FromResult(!_stack.Room.Allocations.Exists(a => a.Runs && a.Node == "n1")));
        var run = _stack.Agent(2).Operations.Begin(DrainOperation.Kind, new Dictionary<string, string> { ["node"] = "n1" });

        await _stack.Agent(2).Drain.FollowAsync(run, _stack.Limit);

        run.Current.State.ShouldBe(Operation.Finished);
        run.Current.Reason.ShouldContain("stay on n1");
        _stack.Room.Raft("fourth").Servers.Select(s => s.Site.Address).ShouldContain("127.0.0.1");
    }

    [Fact]
    public async Task ItComesBackFromAPowerCutWithWhatItHasOnDisk()
    {
        await _stack.MakeAsync(nodes: 3, servers: 3);
        await _stack.LetInClientAsync(4);
        var before = Files(_stack.Agent(4));
        _stack.Room.PowerCut();

        await _stack.SettleAsync();

        _stack.Room.Clients.ShouldContain("n4");
        Files(_stack.Agent(4)).ShouldBe(before);
    }

    [Fact]
    public async Task ItsGateOpensOnAProofThatAServerNodeMakes()
    {
        await _stack.MakeAsync(nodes: 3, servers: 3);
        var client = await _stack.LetInClientAsync(4);
        var barriers = _stack.Room.Barriers;

        (await client.Gate.LookAsync(_stack.Limit)).ShouldBeOfType<Gate.Open>();
        _stack.Room.Barriers.ShouldBe(barriers + 1);
        client.Gate.ProvedElsewhere = (_, _) => Task.FromResult(false);
        await Task.Delay(TimeSpan.FromSeconds(1), _stack.Time);
        (await client.Gate.LookAsync(_stack.Limit)).ShouldBeOfType<Gate.Closed>().For.ShouldContain("a majority");
    }

    [Fact]
    public async Task AServerThatAClientNodeClaimsToHaveIsNone()
    {
        await _stack.MakeAsync(nodes: 3, servers: 3);
        var client = await _stack.LetInClientAsync(4);
        var site = ServerSite.Job(RoomStack.Table["fourth"], client.Context.Node, client.Context.Paths, Guid.NewGuid().ToString());

        client.Context.Membership.UpdateSelf(self => self with { Servers = [site.ToEntry("running")] }).ShouldBeTrue();
        _stack.Room.Exchange();

        _stack.Agent(1).Context.Membership.Current!.Nodes[client.Context.Node.Id].Servers.ShouldNotBeEmpty("its entry is its own");
        KnownServer.Of(_stack.Agent(1).Context.Membership.Current, "fourth").Select(s => s.NodeName).ShouldBe(["n1", "n2", "n3"]);
        await _stack.SettleAsync();
    }

    [Fact]
    public async Task ItNeverWritesTheHistory()
    {
        await _stack.MakeAsync(nodes: 3, servers: 3);
        var client = await _stack.LetInClientAsync(4);
        var note = _stack.Room.Note;

        // Longer than any node with a server would wait for the leader's own.
        for (var round = 0; round < 10; round++)
        {
            await client.History.RoundAsync(_stack.Limit);
            await Task.Delay(TimeSpan.FromMinutes(2), _stack.Time);
        }

        _stack.Room.Note.ShouldBe(note);
        client.Gate.Memory.Marks.ShouldBe(note.Text);
    }

    [Fact]
    public async Task ACertificateThatEndedWhileItWasOffIsMadeAnewForTheOldPeerKey()
    {
        await _stack.MakeAsync(nodes: 3, servers: 3);
        var client = await _stack.LetInClientAsync(4);
        var (pin, tokens) = (client.Context.Membership.Self!.KeyPin, _stack.Room.NodeTokens.ToDictionary());
        client.IsDead = true;

        await Task.Delay(TimeSpan.FromDays(40), _stack.Time);
        var again = _stack.Agent(4);
        again.Context.Trust.Lacks().ShouldNotBeNull();
        (await again.Given.AskAsync(_stack.Limit)).ShouldBeNull();

        again.Context.Trust.Lacks().ShouldBeNull();
        again.Context.Membership.Self!.KeyPin.ShouldBe(pin);
        _stack.Room.NodeTokens.ShouldBe(tokens, "the node had tokens");
    }

    [Fact]
    public async Task WhereATokenWasDeletedItGetsAnother()
    {
        await _stack.MakeAsync(nodes: 3, servers: 3);
        var client = await _stack.LetInClientAsync(4);
        var lost = _stack.Room.NodeTokens.Keys.Single(t => t.Product == "nomad");
        var before = client.Context.Trust.OwnToken(RoomStack.Table.Scheduler);
        _stack.Room.NodeTokens.Remove(lost);

        await Task.Delay(TimeSpan.FromMinutes(6), _stack.Time);
        (await client.Given.RoundAsync(_stack.Limit)).ShouldBeNull();

        client.Context.Trust.OwnToken(RoomStack.Table.Scheduler).ShouldBe(_stack.Room.NodeTokens[lost]);
        client.Context.Trust.OwnToken(RoomStack.Table.Scheduler).ShouldNotBe(before);
    }

    [Fact]
    public async Task ItsTokensAreDeletedWhenItIsRemovedAndItGetsNoOthers()
    {
        await _stack.MakeAsync(nodes: 3, servers: 3);
        await _stack.LetInClientAsync(4);
        var client = await _stack.LetInClientAsync(5);
        _stack.Agent(2).Context.Membership.RemoveNode(client.Context.Node.Id);
        _stack.Room.Exchange();

        foreach (var number in new[] { 1, 2, 3 }) await _stack.Agent(number).NodeTokens.RoundAsync(_stack.Limit);

        _stack.Room.NodeTokens.Keys.Select(t => t.Mark.NodeId).Distinct().ShouldBe([_stack.Agent(4).Context.Node.Id]);
        (await client.Given.AskAsync(_stack.Limit))!.Code.ShouldBe("client/nobody-answers");
    }

    /// <summary>Every secret that a server node can open, and the key that certifies nodes.</summary>
    private static IEnumerable<(string Name, string Secret)> Secrets(RoomAgent agent)
    {
        foreach (var name in agent.Context.Trust.Secrets.Names) yield return (name, Encoding.UTF8.GetString(agent.Context.Trust.Secrets.Open(name)!));
        yield return ("the CA's key", PkiFiles.Read(PkiFiles.CaKey(agent.Context.Paths))!);
    }

    private static Dictionary<string, string> Files(RoomAgent agent) =>
        Directory.EnumerateFiles(agent.Context.Paths.Pki, "*", SearchOption.AllDirectories).ToDictionary(f => f, File.ReadAllText);
}
