// SPDX-License-Identifier: MPL-2.0
using System.IO.Compression;
using System.Runtime.CompilerServices;
using System.Text;
using Nomadstack.Processes;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Processes;

public sealed class StalePidsTests : IDisposable
{
    private readonly string _file = Path.GetTempFileName();

    public void Dispose() => File.Delete(_file);

    [Theory]
    [InlineData(new byte[] { 0x2a }, 42)]
    [InlineData(new byte[] { 0xcc, 0xc8 }, 200)]
    [InlineData(new byte[] { 0xcd, 0x12, 0x67 }, 4711)]
    [InlineData(new byte[] { 0xce, 0x00, 0x3f, 0xff, 0xff }, 4194303)]
    [InlineData(new byte[] { 0xcf, 0, 0, 0, 0, 0, 0, 0x12, 0x67 }, 4711)]
    [InlineData(new byte[] { 0xd0, 0x2a }, 42)]
    [InlineData(new byte[] { 0xd1, 0x12, 0x67 }, 4711)]
    [InlineData(new byte[] { 0xd2, 0x00, 0x01, 0x00, 0x00 }, 65536)]
    [InlineData(new byte[] { 0xd3, 0, 0, 0, 0, 0, 0, 0x12, 0x67 }, 4711)]
    public void ReadsEveryFormOfAMsgpackNumber(byte[] number, int pid) => Scan([0x83, 0xa3, .. "Pid"u8, .. number, 0xa1, (byte)'x']).ShouldBe([pid]);

    [Theory]
    [InlineData("""{"Protocol":"grpc","Pid":4711,"Addr":"/tmp/x"}""", 4711)]
    [InlineData("""{ "Pid" : 4711 }""", 4711)]
    public void ReadsJson(string json, int pid) => Scan(Encoding.UTF8.GetBytes(json)).ShouldBe([pid]);

    [Theory]
    [InlineData("\"Pid\":\"x\"")]
    [InlineData("\"Pid\":0")]
    [InlineData("\"Pid\":1")]
    [InlineData("\"Pid\":-5")]
    [InlineData("\"Pid\"")]
    [InlineData("Pid 12")]
    [InlineData("\"PidFile\":12")]
    public void LeavesOutWhatIsNoProcess(string text) => Scan(Encoding.UTF8.GetBytes(text)).ShouldBeEmpty();

    [Fact]
    public void ACutOffNumberEndsTheScanQuietly() => Scan([0xa3, .. "Pid"u8, 0xce, 0x00]).ShouldBeEmpty();

    [Fact]
    public void FindsPidsAcrossTheBordersOfItsReads()
    {
        // Every possible place of a key around the first border.
        for (var shift = 0; shift < 24; shift++)
        {
            var bytes = new byte[300_000];
            byte[] key = [0xa3, .. "Pid"u8, 0xcd, 0x10, (byte)shift];
            key.CopyTo(bytes, 256 * 1024 - 16 + shift);
            File.WriteAllBytes(_file, bytes);

            StalePids.Read(_file).ShouldBe([0x1000 + shift]);
        }
    }

    /// <summary>
    /// The file is of a real client agent of Nomad 1.1.2, killed while it ran three tasks of the raw_exec driver; the pids were read from the process table.
    /// </summary>
    [Fact]
    public void FindsLogmonExecutorsAndTasksInTheFileOfARealClient()
    {
        using (var packed = new GZipStream(File.OpenRead(Fixture("nomad-1.1.2-state.db.gz")), CompressionMode.Decompress))
        using (var unpacked = File.Create(_file)) packed.CopyTo(unpacked);
        int[] logmon = [30973, 30981, 30987], executors = [30991, 31004, 31011], tasks = [31014, 31025, 31029];

        StalePids.Read(_file).ShouldBe([.. logmon, .. executors, .. tasks]);
    }

    [Fact]
    public void NoFileNoPids() => StalePids.Read(_file + ".missing").ShouldBeEmpty();

    [Fact]
    public void NamesTheLivingOnes()
    {
        var living = StalePids.Living([Environment.ProcessId, int.MaxValue]);

        living.Keys.ShouldBe([Environment.ProcessId]);
        living[Environment.ProcessId].ShouldNotBeEmpty();
    }

    private static string Fixture(string name, [CallerFilePath] string here = "") => Path.Combine(Path.GetDirectoryName(here)!, "Fixtures", name);

    private static SortedSet<int> Scan(byte[] bytes)
    {
        var pids = new SortedSet<int>();
        StalePids.Scan(bytes, pids);
        return pids;
    }
}
