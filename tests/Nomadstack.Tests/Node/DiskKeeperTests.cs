// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics;
using System.Text.Json.Serialization;
using Nomadstack.Cluster;
using Nomadstack.Doctor;
using Nomadstack.Node;
using Nomadstack.Preflight;
using Nomadstack.Storage;
using Nomadstack.Tests.Products;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Node;

public sealed class DiskKeeperTests : IDisposable
{
    private const long MiB = 1L << 20;

    private readonly TemporaryFolder _folder = new();
    private readonly DiskReserve _reserve;

    /// <summary>What jobs have written on a disk of 1000 MiB.</summary>
    private long _jobs;

    public DiskKeeperTests() => _reserve = new(Path.Combine(_folder.Path, "reserve"));

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void TheReserveIsReallyTakenGivenAtTheEndAndTakenAgain()
    {
        var disk = Keeper();
        disk.Look(mayTake: true);
        _reserve.Held.ShouldBe(1000 * MiB / 100);
        Blocks(Path.Combine(_folder.Path, "reserve")).ShouldBeGreaterThanOrEqualTo(1000 * MiB / 100);

        _jobs = 989 * MiB;
        disk.Look(mayTake: true);
        disk.IsShort.ShouldBeTrue();
        _reserve.Held.ShouldBe(0);

        _jobs = 500 * MiB;
        disk.Look(mayTake: true);
        disk.IsShort.ShouldBeFalse();
        _reserve.Held.ShouldBe(1000 * MiB / 100);
    }

    [Fact]
    public void ABootTakesNothingFromTheServersThatStart()
    {
        var disk = Keeper();

        disk.Look(mayTake: false);

        _reserve.Held.ShouldBe(0);
    }

    [Fact]
    public void ABootWithAFullDiskGivesTheReserveFirst()
    {
        _reserve.Take(10 * MiB);
        _jobs = 990 * MiB;

        Keeper().Look(mayTake: false);

        _reserve.Held.ShouldBe(0);
    }

    [Fact]
    public void AReserveThatNobodyWantsGoes()
    {
        _reserve.Take(10 * MiB);

        Keeper(size: 0).Look(mayTake: true);

        _reserve.Held.ShouldBe(0);
    }

    /// <summary>On a real file system: it says that it is full, and then raft's neighbour can write.</summary>
    [SkippableFact]
    public void OnAFullDiskOurRecordsCanBeWrittenOnceTheReserveIsGiven()
    {
        Skip.IfNot(User.OfThisProcess().IsRoot, "only root can mount");
        var mount = _folder.Sub("disk");
        Run("mount", "-t", "tmpfs", "-o", "size=40m,mode=700", "nomadstack-test", mount);
        try
        {
            var record = new DurableFile<Note>(Path.Combine(mount, "note.json"), 1, NoteJson.Default.Note);
            var reserve = new DiskReserve(Path.Combine(mount, "reserve"));
            var disk = new DiskKeeper(() => DiskReading.Of(mount), reserve, 4 * MiB, TimeProvider.System);
            disk.Look(mayTake: true);
            reserve.Held.ShouldBe(4 * MiB);
            disk.Now!.Mount.ShouldBe(mount);

            using (var job = File.Create(Path.Combine(mount, "job"))) FillUp(job);
            Should.Throw<ProblemException>(() => record.Write(new() { Text = new string('x', 100_000) })).Problem.Code.ShouldBe("storage/unwritable");
            disk.Look(mayTake: true);

            disk.IsShort.ShouldBeTrue();
            reserve.Held.ShouldBe(0);
            record.Write(new() { Text = new string('x', 100_000) });
            record.Read()!.Text.Length.ShouldBe(100_000);
        }
        finally
        {
            Run("umount", mount);
        }
    }

    private DiskKeeper Keeper(long? size = null) => new(() => new("/", _jobs + _reserve.Held, Math.Max(0, 1000 * MiB - _jobs - _reserve.Held)), _reserve, size, TimeProvider.System);

    private static void FillUp(FileStream file)
    {
        var block = new byte[4096];
        try
        {
            while (true)
            {
                file.Write(block);
                file.Flush();
            }
        }
        catch (IOException)
        {
            // No room is left, as wanted.
        }
    }

    private static long Blocks(string file)
    {
        using var stat = Process.Start(new ProcessStartInfo("stat", ["-c", "%b", file]) { RedirectStandardOutput = true })!;
        return long.Parse(stat.StandardOutput.ReadToEnd(), System.Globalization.CultureInfo.InvariantCulture) * 512;
    }

    private static void Run(string program, params string[] arguments)
    {
        using var process = Process.Start(program, arguments);
        process.WaitForExit();
        process.ExitCode.ShouldBe(0);
    }

    internal sealed record Note : IHasSchema
    {
        public int Schema { get; init; } = 1;

        public string Text { get; set; } = "";
    }
}

[JsonSerializable(typeof(DiskKeeperTests.Note))]
internal sealed partial class NoteJson : JsonSerializerContext;
