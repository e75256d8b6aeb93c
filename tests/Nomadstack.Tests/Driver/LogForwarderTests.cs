// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Nomadstack.Driver;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Driver;

public sealed class LogForwarderTests : IAsyncLifetime, IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("nslog").FullName;
    private readonly CancellationTokenSource _stop = new();
    private Task _forwarding = Task.CompletedTask;

    private string Log => Path.Combine(_folder, "server.log");
    private string Fifo => Path.Combine(_folder, ".server.stdout.fifo");

    public Task InitializeAsync() => Task.CompletedTask;

    public void Dispose() => _stop.Dispose();

    public async Task DisposeAsync()
    {
        await _stop.CancelAsync();
        await _forwarding;
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task ALateReaderGetsTheLinesSinceTheClaimAndNoOlderOnes()
    {
        File.WriteAllText(Log, "before\n");
        await MakeFifoAsync();
        Forward();
        File.AppendAllText(Log, "one\ntwo\nhal");
        await Task.Delay(400);

        using var reader = Read();
        (await reader.LineAsync()).ShouldBe("one");
        (await reader.LineAsync()).ShouldBe("two");
        File.AppendAllText(Log, "f\n");
        (await reader.LineAsync()).ShouldBe("half");
    }

    [Fact]
    public async Task AFifoThatAppearsLaterIsFound()
    {
        Forward();
        File.WriteAllText(Log, "first\n");
        await Task.Delay(300);
        await MakeFifoAsync();
        using var reader = Read();
        (await reader.LineAsync()).ShouldBe("first");
    }

    [Fact]
    public async Task APlainFileInTheFifosPlaceIsLeftAlone()
    {
        File.WriteAllText(Fifo, "");
        Forward();
        File.WriteAllText(Log, "first\n");
        await Task.Delay(500);
        File.ReadAllText(Fifo).ShouldBe("");
        File.Delete(Fifo);
        await MakeFifoAsync();
        using var reader = Read();
        (await reader.LineAsync()).ShouldBe("first");
    }

    [Fact]
    public async Task AReaderMayDieAndAnotherComes()
    {
        await MakeFifoAsync();
        Forward();
        using (var reader = Read())
        {
            File.AppendAllText(Log, "one\n");
            (await reader.LineAsync()).ShouldBe("one");
        }

        File.AppendAllText(Log, "two\n");
        await Task.Delay(400);
        using var next = Read();
        (await next.LineAsync()).ShouldBe("two");
    }

    [Fact]
    public async Task TruncationStartsAnew()
    {
        await MakeFifoAsync();
        Forward();
        using var reader = Read();
        File.AppendAllText(Log, "a long first line\n");
        (await reader.LineAsync()).ShouldBe("a long first line");
        File.WriteAllText(Log, "new\n");
        (await reader.LineAsync()).ShouldBe("new");
    }

    [Fact]
    public async Task AFullPipeLosesOldLinesAndSaysHowMany()
    {
        await MakeFifoAsync();
        Forward();
        // 3 MB that nobody reads; the pipe holds 64 KB.
        var line = new string('x', 89);
        const int lines = 30_000;
        using (var log = new StreamWriter(Log))
        {
            for (var i = 0; i < lines; i++) log.Write($"{i:D9} {line}\n");
        }

        // Past the forwarder's patience; then one reader takes all that is left.
        await Task.Delay(2000);
        using var reader = Read();
        long seen = 0, missing = 0;
        for (var last = -1; last < lines - 1;)
        {
            var text = await reader.LineAsync();
            if (text.StartsWith("nomadstack: ", StringComparison.Ordinal))
            {
                missing += long.Parse(text.Split(' ')[1]);
                continue;
            }

            text.Length.ShouldBe(99);
            var number = int.Parse(text[..9]);
            if (missing == 0) number.ShouldBe(last + 1);
            last = number;
            seen += 100;
        }

        missing.ShouldBeGreaterThan(1024 * 1024);
        (seen + missing).ShouldBe(lines * 100L);
    }

    [Fact]
    public async Task AHealthyReaderLosesNothingOfABurst()
    {
        await MakeFifoAsync();
        Forward();
        using var reader = Read();
        const int lines = 50_000;
        // 5 MB while they are being read, far more than the pipe holds.
        var writing = Task.Run(() =>
        {
            using var log = new StreamWriter(Log);
            for (var i = 0; i < lines; i++) log.Write($"{i:D9} {new string('y', 89)}\n");
        });

        for (var i = 0; i < lines; i++) (await reader.LineAsync()).ShouldStartWith($"{i:D9}");
        await writing;
    }

    [Fact]
    public async Task DevNullNeedsNoForwarding() =>
        await new LogForwarder(Log, "/dev/null", TimeProvider.System, NullLogger.Instance).RunAsync(0, CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(1));

    private void Forward() => _forwarding = new LogForwarder(Log, Fifo, TimeProvider.System, NullLogger.Instance).RunAsync(LogForwarder.EndOf(Log), _stop.Token);

    private async Task MakeFifoAsync()
    {
        using var mkfifo = Process.Start("mkfifo", [Fifo]);
        await mkfifo.WaitForExitAsync();
    }

    private Reader Read() => new(Fifo);

    /// <summary>Reads as Nomad's logmon does: another process that can die.</summary>
    private sealed class Reader(string fifo) : IDisposable
    {
        private readonly Process _cat = Process.Start(new ProcessStartInfo("cat", [fifo]) { RedirectStandardOutput = true, StandardOutputEncoding = Encoding.UTF8 })!;

        public async Task<string> LineAsync() => (await _cat.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(10))).ShouldNotBeNull();

        public void Dispose()
        {
            _cat.Kill();
            _cat.WaitForExit();
            _cat.Dispose();
        }
    }
}
