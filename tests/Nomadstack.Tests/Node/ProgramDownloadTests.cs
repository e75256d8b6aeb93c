// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics;
using System.Text;
using Nomadstack.Fetch;
using Nomadstack.Node;
using Nomadstack.Storage;
using Nomadstack.Tests.Fetch;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Node;

public sealed class ProgramDownloadTests : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("nomadstack-download-").FullName;
    private ReleaseServer _server = null!;

    private NodePaths Paths => new(Path.Combine(_folder, "data"));

    public async Task InitializeAsync() => _server = await ReleaseServer.StartAsync();

    public async Task DisposeAsync()
    {
        await _server.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task TheNewestReleaseIsBroughtWithItsLicenceNamed()
    {
        Publish(Signer.Known);
        List<FetchProgress> shown = [];

        var (program, _) = await Download(_server.Address, shown.Add).TryAsync(Role.Row(Role.Nomad), default);

        program.ShouldNotBeNull().Version.ShouldBe("1.9.5");
        program.Licence.ShouldBe("BUSL-1.1");
        File.Exists(program.Path).ShouldBeTrue();
        shown.ShouldContain(p => p.Bytes > 0);
    }

    [Fact]
    public async Task WithoutANetworkTheReasonIsThereWithinSecondsAndNobodyIsAskedAgain()
    {
        _server.IsSilent = true;
        var download = Download(_server.Address);
        var clock = Stopwatch.StartNew();

        var (nomad, why) = await download.TryAsync(Role.Row(Role.Nomad), default);
        var (consul, same) = await download.TryAsync(Role.Row(Role.Consul), default);

        clock.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(8), "one wait of 5 s");
        (nomad, consul).ShouldBe((null, null));
        why.ShouldStartWith("none could be fetched: ");
        same.ShouldBe(why);
    }

    [Fact]
    public async Task AReleaseThatSomebodyElseSignedIsNotTakenAndNothingIsLeftOfIt()
    {
        Publish(new Signer());

        var (program, why) = await Download(_server.Address).TryAsync(Role.Row(Role.Nomad), default);

        program.ShouldBeNull();
        why.ShouldContain("signature");
        (Directory.Exists(Paths.Binaries) && Directory.EnumerateFiles(Paths.Binaries, "*", SearchOption.AllDirectories).Any()).ShouldBeFalse();
    }

    [Fact]
    public async Task NothingIsAskedWhereItIsForbidden()
    {
        var (program, why) = await Download(ProgramDownload.Never).TryAsync(Role.Row(Role.Nomad), default);

        program.ShouldBeNull();
        why.ShouldBe("fetching is disabled");
    }

    private static byte[] Zip { get; } = ReleaseServer.Zip(("nomad", Encoding.ASCII.GetBytes("#!/bin/sh\necho 'Nomad v1.9.5'\n")), ("LICENSE.txt", new byte[100_000]));

    private void Publish(Signer signer)
    {
        _server.Files["/nomad/index.json"] = """{"name":"nomad","versions":{"1.6.5":{},"1.9.5":{}}}"""u8.ToArray();
        _server.Publish("nomad", "1.9.5", Zip, signer);
    }

    private ProgramDownload Download(string from, Action<FetchProgress>? progress = null) =>
        new(Paths, from, () => ReleaseKey.From(Signer.Known.KeyIn(_folder)), progress ?? (_ => { }), TimeProvider.System);
}
