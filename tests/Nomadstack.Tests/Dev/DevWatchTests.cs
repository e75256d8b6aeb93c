// SPDX-License-Identifier: MPL-2.0
using System.Collections.Concurrent;
using Nomadstack.Cluster;
using Nomadstack.Dev;
using Nomadstack.Storage;
using Nomadstack.Tests.Products;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Dev;

public sealed class DevWatchTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly DevRoom _room;
    private readonly ConcurrentDictionary<string, int> _ends = new();
    private readonly ConcurrentQueue<string> _killed = new();
    private readonly ConcurrentQueue<string> _asked = new();
    private readonly HashSet<string> _silent = [];

    public DevWatchTests() => _room = DevRoom.Make(new NodePaths(_folder.Path), 3);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task OneThatIsSilentForAMinuteIsStartedAgainAndTheOthersAreLeft()
    {
        _silent.Add("n2");

        var news = await WatchUntilAsync(news => news.Count > 0);

        _killed.Distinct().ShouldBe(["n2"]);
        news.ShouldContain(n => n.StartsWith("n2: its agent has said nothing for 60 s", StringComparison.Ordinal));
        news.ShouldNotContain(n => n.StartsWith("n1", StringComparison.Ordinal) || n.StartsWith("n3", StringComparison.Ordinal));
    }

    [Fact]
    public async Task OneThatEndsIsToldWithItsLastWords()
    {
        var news = await WatchUntilAsync(
            news =>
            {
                // Once it is watched.
                if (_asked.Contains("n3")) _ends["n3"] = 1;
                return news.Count > 0;
            });

        news.ShouldBe(["n3: its agent ended and is started again. Its last words: no room / on the disk"]);
        _killed.ShouldBeEmpty();
    }

    [Fact]
    public async Task OneWithoutPowerHasNothingToSay()
    {
        _silent.Add("n1");
        _silent.Add("n2");
        _room["n1"].PullPlug();

        await WatchUntilAsync(news => news.Count > 0);

        _killed.Distinct().ShouldBe(["n2"]);
    }

    private async Task<IReadOnlyList<string>> WatchUntilAsync(Func<IReadOnlyList<string>, bool> enough)
    {
        using var end = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        var watch = new DevWatch(_room, AskAsync, node =>
        {
            _killed.Enqueue(node.Name);
            return true;
        }, node => _ends.GetValueOrDefault(node.Name), _ => "no room\non the disk", new HastyTime());
        var watching = watch.RunAsync(end.Token);
        List<string> news = [];
        while (!enough(news) && !end.IsCancellationRequested)
        {
            await Task.Delay(20);
            news.AddRange(watch.News());
        }

        await end.CancelAsync();
        await watching;
        return news;
    }

    private async Task AskAsync(DevNode node, CancellationToken cancel)
    {
        _asked.Enqueue(node.Name);
        if (_silent.Contains(node.Name)) await Task.Delay(Timeout.InfiniteTimeSpan, cancel);
        if (node.Name == "n3" && _ends.ContainsKey("n3")) throw new ProblemException(new("agent/unreachable", "No agent answers.", "", ""));
    }

    /// <summary>A clock that runs a hundred times as fast, hands and timers alike.</summary>
    private sealed class HastyTime : TimeProvider
    {
        private const int Times = 100;

        public override long GetTimestamp() => base.GetTimestamp() * Times;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            base.CreateTimer(callback, state, dueTime > TimeSpan.Zero ? dueTime / Times : dueTime, period);
    }
}
