// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Node;
using Nomadstack.Storage;
using Nomadstack.Tests.Products;
using Nomadstack.Tests.Room;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Node;

public sealed class AddressWaitTests : IDisposable
{
    private const string Recorded = "10.77.0.1";

    private readonly TemporaryFolder _folder = new();
    private readonly NodePaths _paths;
    private readonly List<string> _told = [];
    private int _looks;
    private Func<bool> _another = () => true;

    public AddressWaitTests() => _paths = new(_folder.Path);

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(null)]
    [InlineData(Recorded)]
    public async Task AMemberWaitsForItsAddressAndSaysSo(string? bind)
    {
        IsMember();
        var clock = System.Diagnostics.Stopwatch.StartNew();

        await Wait(bind, AddressWait.ServersPatience, comesAtLook: 3, TimeProvider.System);

        _told.Count.ShouldBe(2);
        _told[0].ShouldContain(Recorded);
        _told[1].ShouldBeEmpty();
        clock.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(4), "it starts within a second of the arrival");
    }

    [Fact]
    public async Task OneThatWasGivenItsAddressWaitsHoweverLongThatTakes()
    {
        IsMember();

        await Wait(Recorded, AddressWait.ServersPatience, comesAtLook: 100_000, new InstantTime());

        _looks.ShouldBe(100_000);
    }

    [Fact]
    public async Task OthersGoByAnotherAddressInTheEnd()
    {
        IsMember();

        await Wait(null, AddressWait.Patience, comesAtLook: int.MaxValue, new InstantTime());

        _looks.ShouldBeGreaterThan((int)AddressWait.Patience.TotalSeconds);
        _told[^1].ShouldBeEmpty();
    }

    [Fact]
    public async Task TheTimeOfAMachineWithoutAnyAddressDoesNotCount()
    {
        IsMember();
        _another = () => _looks > 50_000;

        await Wait(null, AddressWait.LonePatience, comesAtLook: int.MaxValue, new InstantTime());

        _looks.ShouldBeGreaterThan(50_000);
    }

    [Theory]
    [InlineData(false, null)]
    [InlineData(false, "10.77.0.9")]
    [InlineData(true, "10.77.0.9")]
    public async Task WhoIsNoMemberOrWasGivenAnotherAddressDoesNotWait(bool member, string? bind)
    {
        if (member) IsMember();

        await Wait(bind, AddressWait.ServersPatience, comesAtLook: int.MaxValue, TimeProvider.System);

        _told.ShouldBeEmpty();
    }

    private void IsMember()
    {
        NodeFile.At(_paths).Write(new NodeFile { Id = Guid.NewGuid().ToString(), Name = "n1", Address = Recorded, Ports = new() });
        File.WriteAllText(_paths.ClusterFile, "{}");
    }

    private Task Wait(string? bind, TimeSpan patience, int comesAtLook, TimeProvider time) =>
        AddressWait.ForRecordedAsync(_paths, bind, () => patience, _ => ++_looks >= comesAtLook, () => _another(), _told.Add, time, CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(30));
}
