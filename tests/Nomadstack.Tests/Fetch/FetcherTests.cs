// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using Nomadstack.Cluster;
using Nomadstack.Fetch;
using Nomadstack.Programs;
using Nomadstack.Storage;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Fetch;

public sealed class FetcherTests : IAsyncLifetime
{
    private static readonly byte[] s_program = Encoding.ASCII.GetBytes("#!/bin/sh\necho 'Nomad v1.9.5'\n");

    private static readonly byte[] s_licence = RandomNumberGenerator.GetBytes(200_000);

    private readonly string _folder = Directory.CreateTempSubdirectory("nomadstack-fetch-").FullName;
    private ReleaseServer _server = null!;

    private NodePaths Paths => new(Path.Combine(_folder, "data"));

    private static byte[] GoodZip { get; } = ReleaseServer.Zip(("nomad", s_program), ("LICENSE.txt", s_licence));

    public async Task InitializeAsync() => _server = await ReleaseServer.StartAsync();

    public async Task DisposeAsync()
    {
        await _server.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task WhatIsFetchedCanBeRunAndIsFoundByTheEngineLookup()
    {
        _server.Publish("nomad", "1.9.5", GoodZip, Signer.Known);

        var fetched = await FetchAsync("nomad@1.9.5");

        fetched.ShouldBe(new("nomad", "1.9.5", "BUSL-1.1", Path.Combine(Paths.Binaries, "nomad/1.9.5/nomad"), New: true));
        var found = await new ProgramProbe(TimeProvider.System, null, product => InstalledPrograms.Folders(Paths, product, null)).ProbeAsync(Role.Row(Role.Nomad), null, "/nowhere", null, default);
        found.OrThrow().ShouldBe(new ProductProgram("nomad", fetched.Path, [], new(1, 9, 5)), new SameProgram());
        Left().ShouldBe(["nomad/1.9.5/LICENSE.txt", "nomad/1.9.5/nomad", "nomad/1.9.5/SHA256SUMS"], ignoreOrder: true);
        File.GetUnixFileMode(Paths.Data).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    [Fact]
    public async Task WhatIsThereAlreadyIsNotFetchedAgain()
    {
        _server.Publish("nomad", "1.9.5", GoodZip, Signer.Known);
        await FetchAsync("nomad@1.9.5");
        _server.Files.Clear();

        (await FetchAsync("nomad@1.9.5")).New.ShouldBeFalse();
    }

    [Fact]
    public async Task AProgramThatIsNoLongerWhatWasFetchedIsNotRunAndIsFetchedAnew()
    {
        _server.Publish("nomad", "1.9.5", GoodZip, Signer.Known);
        var path = (await FetchAsync("nomad@1.9.5")).Path;
        // Of the same length and age, as a disk forgets.
        var written = File.GetLastWriteTimeUtc(path);
        await File.WriteAllTextAsync(path, Encoding.ASCII.GetString(s_program).Replace("1.9.5", "1.9.6", StringComparison.Ordinal));
        File.SetLastWriteTimeUtc(path, written);

        var problem = (await new ProgramProbe(TimeProvider.System, new KnownPrograms(Paths)).ProbeAsync(Role.Row(Role.Nomad), path, null, null, default)).ShouldBeOfType<ProgramFinding.Unusable>().Problem;

        problem.Code.ShouldBe("engine/nomad-damaged");
        problem.What.ShouldContain(path);
        (await FetchAsync("nomad@1.9.5")).New.ShouldBeTrue();
        (await new ProgramProbe(TimeProvider.System).ProbeAsync(Role.Row(Role.Nomad), path, null, null, default)).ShouldBeOfType<ProgramFinding.Found>();
    }

    [Fact]
    public async Task AListThatEndsBeforeWhatIsHereIsNotBelieved()
    {
        _server.Publish("nomad", "1.9.5", GoodZip, Signer.Known);
        _server.Publish("nomad", "1.8.0", GoodZip, Signer.Known);
        _server.Files["/nomad/index.json"] = """{"name":"nomad","versions":{"1.9.5":{},"1.8.0":{}}}"""u8.ToArray();
        await FetchAsync("nomad");
        _server.Files["/nomad/index.json"] = """{"name":"nomad","versions":{"1.8.0":{}}}"""u8.ToArray();

        var problem = (await Should.ThrowAsync<ProblemException>(() => FetchAsync("nomad"))).Problem;

        problem.Code.ShouldBe("fetch/older-list");
        problem.Unsafe.ShouldBeTrue();
        problem.What.ShouldContain("1.8.0");
        (await FetchAsync("nomad@1.8.0")).New.ShouldBeTrue("whoever names it means it");
    }

    [Fact]
    public async Task TheNewestIsTheNewestFinishedOpenRelease()
    {
        _server.Files["/nomad/index.json"] = """{"name":"nomad","versions":{"1.9.5":{},"1.10.0":{},"1.2.9":{},"1.11.0-beta.1":{},"1.11.0+ent":{}}}"""u8.ToArray();
        _server.Publish("nomad", "1.10.0", GoodZip, Signer.Known);

        (await FetchAsync("nomad")).Version.ShouldBe("1.10.0");
    }

    [Fact]
    public async Task ASignatureUnderTheKeysOwnNameIsTakenToo()
    {
        _server.Publish("nomad", "1.9.5", GoodZip, Signer.Known, $".{Signer.Known.Fingerprint[^8..]}.sig");

        (await FetchAsync("nomad@1.9.5")).New.ShouldBeTrue();
    }

    [Fact]
    public async Task ABrokenDownloadIsContinuedWhereItStopped()
    {
        _server.Publish("nomad", "1.9.5", GoodZip, Signer.Known);
        _server.Breaks = (50_000, 2);

        (await FetchAsync("nomad@1.9.5")).New.ShouldBeTrue();

        _server.ZipsFrom.Count.ShouldBe(3);
        _server.ZipsFrom.ShouldBe(_server.ZipsFrom.Order());
        _server.ZipsFrom.Last().ShouldBeGreaterThan(0);
    }

    [Fact]
    public async Task AConnectionThatIsResetIsTriedAgain()
    {
        _server.Publish("nomad", "1.9.5", GoodZip, Signer.Known);
        _server.Resets = 2;

        (await FetchAsync("nomad@1.9.5")).New.ShouldBeTrue();
    }

    [Fact]
    public async Task ADownloadThatNeverEndsIsContinuedByTheNextCommand()
    {
        _server.Publish("nomad", "1.9.5", GoodZip, Signer.Known);
        _server.Breaks = (10_000, 5);

        (await RefusedAsync("nomad@1.9.5")).Code.ShouldBe("fetch/interrupted");

        Left().ShouldHaveSingleItem().ShouldStartWith(".partial/");
        _server.ZipsFrom.Clear();
        (await FetchAsync("nomad@1.9.5")).New.ShouldBeTrue();
        _server.ZipsFrom.ShouldHaveSingleItem().ShouldBeGreaterThan(0);
        Left().ShouldNotContain(file => file.StartsWith('.'));
    }

    [Fact]
    public async Task AServerThatCannotContinueSendsAllOfItAgain()
    {
        await using var server = await ReleaseServer.StartAsync(ignoresRange: true);
        server.Publish("nomad", "1.9.5", GoodZip, Signer.Known);
        server.Breaks = (50_000, 1);

        (await FetchAsync("nomad@1.9.5", server.Address)).New.ShouldBeTrue();
    }

    [Fact]
    public async Task APartThatWasSpoiledOnDiskIsForgotten()
    {
        _server.Publish("nomad", "1.9.5", GoodZip, Signer.Known);
        var part = Path.Combine(Paths.Binaries, ".partial", Convert.ToHexStringLower(SHA256.HashData(GoodZip)));
        Directory.CreateDirectory(Path.GetDirectoryName(part)!);
        File.WriteAllText(part, "not the beginning of a zip");

        (await FetchAsync("nomad@1.9.5")).New.ShouldBeTrue();
    }

    [Fact]
    public async Task AWrongSumIsRefused()
    {
        _server.Publish("nomad", "1.9.5", GoodZip, Signer.Known);
        foreach (var zip in _server.Files.Keys.Where(k => k.EndsWith(".zip"))) _server.Files[zip] = ReleaseServer.Zip(("nomad", "evil"u8.ToArray()));

        var problem = await RefusedAsync("nomad@1.9.5");

        (problem.Code, problem.Unsafe).ShouldBe(("fetch/wrong-sum", true));
        Left().ShouldBeEmpty();
    }

    [Theory]
    [InlineData("other signer")]
    [InlineData("other content")]
    [InlineData("none")]
    [InlineData("garbage")]
    public async Task ASignatureThatIsNotGoodIsRefused(string how)
    {
        _server.Publish("nomad", "1.9.5", GoodZip, how == "other signer" ? new Signer() : Signer.Known);
        var sums = "/nomad/1.9.5/nomad_1.9.5_SHA256SUMS";
        if (how == "other content") _server.Files[sums] = [.. _server.Files[sums], (byte)'\n'];
        if (how == "none") _server.Files.TryRemove(sums + ".sig", out _);
        if (how == "garbage") _server.Files[sums + ".sig"] = RandomNumberGenerator.GetBytes(300);

        var problem = await RefusedAsync("nomad@1.9.5");

        (problem.Code, problem.Unsafe).ShouldBe(("fetch/bad-signature", true));
        problem.Why.ShouldContain(Signer.Known.Fingerprint);
        Left().ShouldBeEmpty();
        _server.ZipsFrom.ShouldBeEmpty();
    }

    [Fact]
    public async Task ATruncatedZipIsRefused()
    {
        _server.Publish("nomad", "1.9.5", GoodZip[..^100], Signer.Known);

        (await RefusedAsync("nomad@1.9.5")).Code.ShouldBe("fetch/bad-archive");

        Left().ShouldBeEmpty();
    }

    [Fact]
    public async Task AZipWithoutTheProgramIsRefused()
    {
        _server.Publish("nomad", "1.9.5", ReleaseServer.Zip(("nomad/nomad", s_program)), Signer.Known);

        (await RefusedAsync("nomad@1.9.5")).Why.ShouldContain("it contains no nomad");

        Left().ShouldBeEmpty();
    }

    [Theory]
    [InlineData("../../../escaped")]
    [InlineData("a/../../../../escaped")]
    [InlineData("/tmp/nomadstack-escaped")]
    [InlineData("..\\escaped")]
    [InlineData("link?120777")]
    public async Task AZipThatReachesOutOfItsFolderIsRefused(string name)
    {
        _server.Publish("nomad", "1.9.5", ReleaseServer.Zip(("nomad", s_program), (name, "x"u8.ToArray())), Signer.Known);

        var problem = await RefusedAsync("nomad@1.9.5");

        (problem.Code, problem.Unsafe).ShouldBe(("fetch/unsafe-archive", true));
        Left().ShouldBeEmpty();
        Directory.EnumerateFiles(_folder, "*escaped*", SearchOption.AllDirectories).ShouldBeEmpty();
        File.Exists("/tmp/nomadstack-escaped").ShouldBeFalse();
    }

    [SkippableFact]
    public async Task AFullDiskIsRefused()
    {
        var disk = Path.Combine(_folder, "disk");
        Directory.CreateDirectory(disk);
        Skip.IfNot(Run("mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", disk) == 0, "a small disk can be mounted by root alone");
        try
        {
            _server.Publish("nomad", "1.9.5", GoodZip, Signer.Known);
            var paths = new NodePaths(Path.Combine(disk, "data"));

            var problem = (await Should.ThrowAsync<ProblemException>(FetchAsync("nomad@1.9.5", _server.Address, paths))).Problem;

            problem.Code.ShouldBe("fetch/disk-full");
            Directory.EnumerateFiles(disk, "*", SearchOption.AllDirectories).ShouldBeEmpty();
        }
        finally
        {
            Run("umount", disk);
        }
    }

    [Fact]
    public async Task AVersionNobodyPublishedIsRefused()
    {
        var problem = await RefusedAsync("nomad@9.9.9");

        problem.Code.ShouldBe("fetch/unknown-version");
        problem.Fix.ShouldContain("/nomad");
        Left().ShouldBeEmpty();
    }

    [Theory]
    [InlineData("closed")]
    [InlineData("silent")]
    [InlineData("no such name")]
    public async Task WithoutANetworkItSaysSoWithinFiveSeconds(string how)
    {
        var address = how == "no such name" ? "http://releases.invalid" : _server.Address;
        if (how == "closed") await _server.DisposeAsync();
        _server.IsSilent = true;
        var watch = Stopwatch.StartNew();

        var problem = await RefusedAsync("nomad", address);

        problem.Code.ShouldBe("fetch/no-network");
        problem.Fix.ShouldContain("--from DIR");
        watch.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(7), "five seconds, and what a busy machine adds");
        Left().ShouldBeEmpty();
        if (how == "closed") _server = await ReleaseServer.StartAsync();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task AFolderServesWithoutANetwork(bool sideBySide)
    {
        _server.Publish("nomad", "1.9.5", GoodZip, Signer.Known);
        var carried = Path.Combine(_folder, "carried");
        foreach (var (path, content) in _server.Files)
        {
            var file = carried + (sideBySide ? "/" + Path.GetFileName(path) : path);
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            File.WriteAllBytes(file, content);
        }

        (await FetchAsync("nomad", carried)).Version.ShouldBe("1.9.5");

        Directory.EnumerateFiles(carried, "*.zip", SearchOption.AllDirectories).Count().ShouldBe(2, "what was carried in stays");
    }

    [Fact]
    public async Task TwoAtOnceDoNotMeet()
    {
        _server.Publish("nomad", "1.9.5", GoodZip, Signer.Known);
        Directory.CreateDirectory(Paths.Binaries);
        using var other = FolderLock.TryTake(Paths.Binaries);

        (await RefusedAsync("nomad@1.9.5")).Code.ShouldBe("fetch/busy");
    }

    [Fact]
    public async Task WhatAKilledFetchLeftIsCleared()
    {
        _server.Publish("nomad", "1.9.5", GoodZip, Signer.Known);
        var left = Path.Combine(Paths.Binaries, "nomad/.1.9.5");
        Directory.CreateDirectory(left);
        File.WriteAllText(Path.Combine(left, "nomad"), "half");

        var fetched = await FetchAsync("nomad@1.9.5");

        File.ReadAllBytes(fetched.Path).ShouldBe(s_program);
        Left().ShouldBe(["nomad/1.9.5/LICENSE.txt", "nomad/1.9.5/SHA256SUMS", "nomad/1.9.5/nomad"]);
    }

    [Theory]
    [InlineData("nomad", "1.4.14", "MPL-2.0")]
    [InlineData("nomad", "1.5.12", "MPL-2.0")]
    [InlineData("nomad", "1.5.13", "BUSL-1.1")]
    [InlineData("nomad", "1.6.5", "MPL-2.0")]
    [InlineData("nomad", "1.6.6", "BUSL-1.1")]
    [InlineData("nomad", "1.7.0-beta.1", "BUSL-1.1")]
    [InlineData("nomad", "1.10.0+ent", "HashiCorp enterprise licence")]
    [InlineData("consul", "1.15.8", "MPL-2.0")]
    [InlineData("consul", "1.15.9", "BUSL-1.1")]
    [InlineData("consul", "1.16.4", "MPL-2.0")]
    [InlineData("consul", "1.16.6", "BUSL-1.1")]
    [InlineData("consul", "1.17.0", "BUSL-1.1")]
    [InlineData("vault", "1.14.8", "MPL-2.0")]
    [InlineData("vault", "1.15.0", "BUSL-1.1")]
    [InlineData("openbao", "2.1.0", "MPL-2.0")]
    public void TheLicenceIsNamed(string product, string version, string licence) =>
        ProductTable.Known[product].LicenceOf(SemVer.Parse(version)!).ShouldBe(licence);

    private async Task<Problem> RefusedAsync(string wanted, string? from = null) =>
        (await Should.ThrowAsync<ProblemException>(FetchAsync(wanted, from))).Problem;

    private async Task<Fetched> FetchAsync(string wanted, string? from = null, NodePaths? paths = null)
    {
        using var source = ReleaseSource.At(from ?? _server.Address, TimeProvider.System);
        var fetcher = new Fetcher(paths ?? Paths, source, ReleaseKey.From(Signer.Known.KeyIn(_folder)), "amd64");
        return await fetcher.FetchAsync(Wanted.Parse(wanted, ProductTable.Known), _ => { }, CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(30));
    }

    /// <summary>Every file below <c>bin</c>, in order.</summary>
    private IEnumerable<string> Left() => Directory.Exists(Paths.Binaries)
        ? Directory.EnumerateFiles(Paths.Binaries, "*", SearchOption.AllDirectories).Select(f => Path.GetRelativePath(Paths.Binaries, f)).Order(StringComparer.Ordinal)
        : [];

    private static int Run(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
        process.WaitForExit();
        return process.ExitCode;
    }

    private sealed class SameProgram : IEqualityComparer<ProductProgram>
    {
        public bool Equals(ProductProgram? a, ProductProgram? b) => a?.Kind == b?.Kind && a?.Path == b?.Path && a?.Version == b?.Version;

        public int GetHashCode(ProductProgram program) => program.Path.GetHashCode(StringComparison.Ordinal);
    }
}
