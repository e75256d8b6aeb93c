// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics;
using System.Text.Json;
using Nomadstack.Archives;
using Nomadstack.Cluster;
using Org.BouncyCastle.Bcpg.OpenPgp;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Archives;

public sealed class ArchiveTests : IDisposable
{
    private const string Ours = "7f1c6d1e-2f67-4c2c-9d0c-2b8a1f3f8c11";

    private static readonly DateTimeOffset s_now = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    private readonly string _folder = Directory.CreateTempSubdirectory("nomadstack-archive-").FullName;
    private readonly RecoveryKey _key = RecoveryKey.Make();
    private readonly byte[] _state = new byte[300_000];

    public ArchiveTests() => new Random(1).NextBytes(_state);

    [Fact]
    public async Task WhatWasPutInComesOut()
    {
        var opened = await ArchiveReader.OpenAsync(await MakeAsync(), _key.Text, CancellationToken.None);

        opened.Manifest.ClusterId.ShouldBe(Ours);
        opened.Membership.ShouldBe("{\"schema\":1}"u8.ToArray());
        opened.Secrets["token.nomad.management"].ShouldBe("t"u8.ToArray());
        (await SnapshotOfAsync(opened)).ShouldBe(_state);
    }

    [Fact]
    public async Task AnArchiveThatEndsAnywhereBeforeItsEndIsRefused()
    {
        var whole = await File.ReadAllBytesAsync(await MakeAsync(state: 5000));
        foreach (var length in Enumerable.Range(0, whole.Length).Where(l => l < 200 || l % 97 == 0 || l > whole.Length - 40))
            (await RefusalAsync(whole[..length])).Code.ShouldBeOneOf(["archive/truncated", "archive/foreign"], $"{length} of {whole.Length} bytes");
    }

    [Fact]
    public async Task AChangedByteAnywhereIsNoticed()
    {
        var whole = await File.ReadAllBytesAsync(await MakeAsync(state: 5000));
        foreach (var at in Enumerable.Range(0, whole.Length).Where(l => l < 120 || l % 97 == 0 || l > whole.Length - 40))
        {
            byte[] changed = [.. whole];
            changed[at] ^= 0x10;
            (await RefusalAsync(changed)).Code.ShouldStartWith("archive/", Case.Sensitive, $"byte {at}");
        }
    }

    [Fact]
    public async Task BytesAfterTheEndAreNoticed() =>
        (await RefusalAsync([.. await File.ReadAllBytesAsync(await MakeAsync()), 0])).Code.ShouldBe("archive/corrupted");

    [Fact]
    public async Task AnotherKeyIsToldByName()
    {
        var path = await MakeAsync();
        // By accident, one key in 65,536 passes the first look and fails at the next one.
        (await Should.ThrowAsync<ProblemException>(() => ArchiveReader.OpenAsync(path, RecoveryKey.Make().Text, CancellationToken.None))).Problem.Code.ShouldBeOneOf("archive/wrong-key", "archive/corrupted");
    }

    [Fact]
    public async Task ANewerFormatIsToldBeforeAnythingElseIsRead()
    {
        var path = await MakeAsync(format: ArchiveManifest.CurrentFormat + 1);

        (await Should.ThrowAsync<ProblemException>(() => ArchiveReader.OpenAsync(path, _key.Text, CancellationToken.None))).Problem.Code.ShouldBe("archive/newer-format");
    }

    [Fact]
    public async Task ASnapshotThatDoesNotMatchItsSumIsRefused()
    {
        var path = await MakeAsync(alter: m => m with { Products = [m.Products[0] with { File = m.Products[0].File with { Sha256 = new('0', 64) } }] });

        (await Should.ThrowAsync<ProblemException>(() => ArchiveReader.OpenAsync(path, _key.Text, CancellationToken.None))).Problem.Code.ShouldBe("archive/corrupted");
    }

    [Fact]
    public async Task AnotherClustersArchiveIsRefusedAndSoIsANewerProducts()
    {
        var opened = await ArchiveReader.OpenAsync(await MakeAsync(), _key.Text, CancellationToken.None);

        opened.RequireCluster(Ours);
        Should.Throw<ProblemException>(() => opened.RequireCluster(Guid.NewGuid().ToString())).Problem.Code.ShouldBe("archive/other-cluster");
        opened.RequireVersions(_ => "1.10.0");
        opened.RequireVersions(_ => "1.10.5");
        opened.RequireVersions(_ => "2.0.5");
        Should.Throw<ProblemException>(() => opened.RequireVersions(_ => "1.9.7")).Problem.Code.ShouldBe("archive/newer-product");
        Should.Throw<ProblemException>(() => opened.RequireVersions(_ => null)).Problem.Code.ShouldBe("archive/newer-product");
    }

    [Fact]
    public async Task AFullDiskIsTold()
    {
        await using var full = new FullDisk(100_000);

        await Should.ThrowAsync<IOException>(() => WriteAsync(full, _state));
    }

    [Fact]
    public async Task AnotherImplementationOfOpenPgpReadsIt()
    {
        await using var file = File.OpenRead(await MakeAsync());
        var list = (PgpEncryptedDataList)new PgpObjectFactory(file).NextPgpObject();
        var data = (PgpPbeEncryptedData)list[0];
        await using var clear = data.GetDataStreamUtf8(_key.Text.ToCharArray());
        var literal = (PgpLiteralData)new PgpObjectFactory(clear).NextPgpObject();
        await using var content = literal.GetInputStream();
        var size = 0L;
        var buffer = new byte[4096];
        while (content.Read(buffer) is > 0 and var read) size += read;

        size.ShouldBeGreaterThan(_state.Length);
        data.Verify().ShouldBeTrue();
    }

    [SkippableFact]
    public async Task GpgAndTarOpenIt()
    {
        Skip.IfNot(File.Exists("/usr/bin/gpg"), "there is no gpg here");
        var (path, key, home) = (await MakeAsync(), Path.Combine(_folder, "key"), Path.Combine(_folder, "gpg"));
        await File.WriteAllTextAsync(key, _key.Text + "\n");
        Directory.CreateDirectory(home, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var start = new ProcessStartInfo("/bin/sh", ["-c", "gpg --homedir \"$1\" --batch --quiet --pinentry-mode loopback --passphrase-file \"$2\" --decrypt \"$3\" | tar -x -C \"$4\"", "sh", home, key, path, _folder]);
        using var process = Process.Start(start)!;
        await process.WaitForExitAsync();

        process.ExitCode.ShouldBe(0);
        (await File.ReadAllBytesAsync(Path.Combine(_folder, "nomad.snap"))).ShouldBe(_state);
        JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(_folder, "manifest.json"))).RootElement.GetProperty("clusterId").GetString().ShouldBe(Ours);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private async Task<string> MakeAsync(int state = 300_000, int format = ArchiveManifest.CurrentFormat, Func<ArchiveManifest, ArchiveManifest>? alter = null)
    {
        var path = Path.Combine(_folder, Guid.NewGuid() + ".tar.gpg");
        await using var file = File.Create(path);
        await WriteAsync(file, _state[..state], format, alter);
        return path;
    }

    private Task<(ArchiveManifest Manifest, ArchivedFile Whole)> WriteAsync(Stream to, byte[] state, int format = ArchiveManifest.CurrentFormat, Func<ArchiveManifest, ArchiveManifest>? alter = null)
    {
        ArchivePart snapshot = new(ArchiveNames.Snapshot("nomad"), state);
        var manifest = new ArchiveManifest
        {
            Format = format,
            Release = "0.2.0",
            ClusterId = Ours,
            TakenAt = s_now,
            Node = "n1",
            Products = [new("nomad", "1.10.0", "nomad", 42, 2, snapshot.Sum(), new Dictionary<string, long> { ["jobs"] = 3 })],
        };
        ArchivePart[] parts = [new(ArchiveNames.Membership, "{\"schema\":1}"u8.ToArray()), new(ArchiveNames.Secrets, """{"token.nomad.management":"dA=="}"""u8.ToArray())];
        return ArchiveWriter.WriteAsync(to, _key.Text, Stretch.OfAKey, alter?.Invoke(manifest) ?? manifest, parts, [snapshot], CancellationToken.None);
    }

    private async Task<Problem> RefusalAsync(byte[] bytes)
    {
        var path = Path.Combine(_folder, "broken");
        await File.WriteAllBytesAsync(path, bytes);
        return (await Should.ThrowAsync<ProblemException>(() => ArchiveReader.OpenAsync(path, _key.Text, CancellationToken.None))).Problem;
    }

    private static async Task<byte[]> SnapshotOfAsync(ArchiveReader opened)
    {
        await using var from = await opened.OpenSnapshotAsync("nomad", CancellationToken.None);
        using var held = new MemoryStream();
        await from.CopyToAsync(held);
        return held.ToArray();
    }

    private sealed class FullDisk(long room) : MemoryStream
    {
        public override void Write(ReadOnlySpan<byte> buffer)
        {
            if (Length + buffer.Length > room) throw new IOException("No space left on device");
            base.Write(buffer);
        }
    }
}
