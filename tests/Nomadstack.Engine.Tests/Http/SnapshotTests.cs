// SPDX-License-Identifier: MPL-2.0
using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Nomadstack.Engine.Http;
using Nomadstack.Engine.Tests.Server;
using Shouldly;
using Xunit;

namespace Nomadstack.Engine.Tests.Http;

/// <summary>The state saved and put back.</summary>
public sealed class SnapshotTests
{
    [Fact]
    public async Task ASnapshotBringsBackWhatWasSavedAndIndexesGoOn()
    {
        await using var cluster = await AgentCluster.OneAsync();
        var agent = cluster.Agents["s1"];
        await agent.JsonAsync("PUT", "/v1/jobs", JobsOf.Service("kept"));
        using var saved = await agent.Http.GetAsync("/v1/operator/snapshot");
        var archive = await saved.Content.ReadAsByteArrayAsync();
        var later = (await agent.JsonAsync("PUT", "/v1/jobs", JobsOf.Service("lost")))!;

        using (var restored = await agent.Http.PutAsync("/v1/operator/snapshot", new ByteArrayContent(archive))) restored.EnsureSuccessStatusCode();

        (await agent.GetAsync("/v1/jobs"))!.AsArray().Select(j => (string?)j!["ID"]).ShouldBe(["kept"]);
        using var jobs = await agent.Http.GetAsync("/v1/jobs");
        long.Parse(jobs.Headers.GetValues("X-Nomad-Index").Single()).ShouldBeGreaterThan((long)later["JobModifyIndex"]!);
        var broken = archive.ToArray();
        // In the midst of the state: the last bytes may be no more than the padding of an archive that was read already.
        broken[broken.Length / 2] ^= 1;
        using var refused = await agent.Http.PutAsync("/v1/operator/snapshot", new ByteArrayContent(broken));
        ((int)refused.StatusCode).ShouldBe(500);
    }

    [Fact]
    public async Task AStateThatIsLargerThanAnEntryOfTheLogIsRestoredPacked()
    {
        await using var cluster = await AgentCluster.OneAsync();
        var agent = cluster.Agents["s1"];
        // Twelve jobs of a megabyte and a half.
        for (var i = 0; i < 12; i++)
        {
            var job = JobsOf.ServiceJob($"large-{i}", count: 0);
            job["Meta"] = new JsonObject { ["text"] = string.Concat(Enumerable.Repeat($"{i} and more. ", 120_000)) };
            await agent.JsonAsync("PUT", "/v1/jobs", new JsonObject { ["Job"] = job }.ToJsonString());
        }

        using var saved = await agent.Http.GetAsync("/v1/operator/snapshot");
        var archive = await saved.Content.ReadAsByteArrayAsync();
        SnapshotArchive.Read(archive).Length.ShouldBeGreaterThan(16 * 1024 * 1024);
        await agent.JsonAsync("DELETE", "/v1/job/large-3?purge=true");

        using (var restored = await agent.Http.PutAsync("/v1/operator/snapshot", new ByteArrayContent(archive))) (await restored.Content.ReadAsStringAsync()).ShouldBe("");
        (await agent.GetAsync("/v1/jobs"))!.AsArray().Count.ShouldBe(12);

        // And it is in the log: a server that is started again has it too.
        await cluster.StopAsync("s1");
        (await (await cluster.StartAsync("s1")).GetAsync("/v1/jobs"))!.AsArray().Count.ShouldBe(12);
    }

    [Fact]
    public void ASnapshotLooksToNomadsToolsLikeOneOfItsOwn()
    {
        var state = "{}"u8.ToArray();
        var archive = Archive(to => to.Write(state));

        using var gzip = new GZipStream(new MemoryStream(archive), CompressionMode.Decompress);
        using var tar = new TarReader(gzip);
        tar.GetNextEntry()!.Name.ShouldBe("meta.json");
        var content = new byte[9];
        tar.GetNextEntry()!.DataStream!.ReadExactly(content);
        // MessagePack: the header is a map of nothing; then a type, and bytes of a length of four bytes.
        content.ShouldBe([0x80, 0xFE, 0xC6, 0, 0, 0, 2, .. state]);
        SnapshotArchive.Read(archive).ToArray().ShouldBe(state);
    }

    [Fact]
    public void SavingTakesNoMemoryOfTheStatesSizeAndLeavesNoFile()
    {
        const int Megabytes = 64;
        var folder = Directory.CreateTempSubdirectory("nomadstack-snapshot-").FullName;
        var block = new byte[1 << 20];
        new Random(1).NextBytes(block);
        var before = GC.GetAllocatedBytesForCurrentThread();

        var (archive, _) = SnapshotArchive.Write(folder, 7, null, to =>
        {
            for (var i = 0; i < Megabytes; i++) to.Write(block);
        }, DateTimeOffset.UnixEpoch);

        using (archive) archive.Length.ShouldBeGreaterThan(Megabytes << 20);
        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBeLessThan(8 << 20);
        Directory.GetFiles(folder).ShouldBeEmpty();
        Directory.Delete(folder);
    }

    private static byte[] Archive(Action<Stream> save)
    {
        var (archive, digest) = SnapshotArchive.Write(Path.GetTempPath(), 7, null, save, DateTimeOffset.UnixEpoch);
        using var all = new MemoryStream();
        using (archive) archive.CopyTo(all);
        digest.ShouldBe("sha-256=" + Convert.ToBase64String(SHA256.HashData(all.ToArray())));
        return all.ToArray();
    }

    [Fact]
    public void ASmallArchiveThatUnpacksToALotIsRefused()
    {
        using var buffer = new MemoryStream();
        using (var gzip = new GZipStream(buffer, CompressionLevel.Fastest, leaveOpen: true))
        using (var tar = new TarWriter(gzip, TarEntryFormat.Ustar))
            tar.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, "state.bin") { DataStream = new MemoryStream(new byte[SnapshotArchive.MaxStateBytes + 1]) });

        Should.Throw<InvalidDataException>(() => SnapshotArchive.Read(buffer.ToArray())).Message.ShouldContain("unpacks to more than 134217728 bytes");
    }
}
