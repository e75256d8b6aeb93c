// SPDX-License-Identifier: MPL-2.0
using System.Collections.Concurrent;
using Nomadstack.Api;
using Nomadstack.Cluster;

namespace Nomadstack.Dev;

/// <summary>
/// Looks after the agents of a room as an init system would that also asks how they are: one that ends is told of, one that says nothing for a minute is
/// ended so that it is started again. Whatever befalls one of them, the others are left alone.
/// </summary>
/// <param name="kill">Ends a node's agent; false when it does not run.</param>
/// <param name="ends">How often a node's agent has ended.</param>
internal sealed class DevWatch(
    DevRoom room,
    Func<DevNode, CancellationToken, Task> ask,
    Func<DevNode, bool> kill,
    Func<DevNode, int> ends,
    Func<DevNode, string> lastWords,
    TimeProvider time)
{
    /// <summary>Between two questions, and how long an answer may take.</summary>
    private static readonly TimeSpan s_between = TimeSpan.FromSeconds(2), s_answer = TimeSpan.FromSeconds(10);

    /// <summary>As long as a command waits for an agent before it calls it stuck (<see cref="AgentClient"/>).</summary>
    internal static readonly TimeSpan Silence = TimeSpan.FromSeconds(60);

    /// <summary>As many questions as fit into <see cref="Silence"/> when none is answered.</summary>
    private const int FewestUnanswered = 5;

    private readonly ConcurrentQueue<string> _news = new();

    /// <summary>Until cancelled, then returns.</summary>
    public Task RunAsync(CancellationToken cancel) => Task.WhenAll(room.Nodes.Select(node => WatchAsync(node, cancel)));

    /// <summary>What happened since the last call, a sentence each.</summary>
    public IEnumerable<string> News()
    {
        while (_news.TryDequeue(out var one)) yield return one;
    }

    private async Task WatchAsync(DevNode node, CancellationToken cancel)
    {
        var (answered, unanswered, told) = (time.GetTimestamp(), 0, ends(node));
        try
        {
            while (true)
            {
                await Task.Delay(s_between, time, cancel);
                var answers = await AnswersAsync(node, cancel);
                var now = ends(node);
                if (now != told && node.HasPower) _news.Enqueue($"{node.Name}: its agent ended and is started again. Its last words: {lastWords(node).ReplaceLineEndings(" / ")}");
                unanswered++;
                // One that has no power, or has just ended and waits for its next start, has nothing to say.
                if (answers || now != told || !node.HasPower) (answered, unanswered) = (time.GetTimestamp(), 0);
                told = now;
                // Several questions, so that a machine that held us up as well is not mistaken for an agent that is stuck.
                if (unanswered < FewestUnanswered || time.GetElapsedTime(answered) < Silence || !kill(node)) continue;
                _news.Enqueue($"{node.Name}: its agent has said nothing for {Silence.TotalSeconds:0} s and is started again; what it runs goes on");
                (answered, unanswered, told) = (time.GetTimestamp(), 0, told + 1);
            }
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            // The room is closed.
        }
    }

    private async Task<bool> AnswersAsync(DevNode node, CancellationToken cancel)
    {
        using var limit = new CancellationTokenSource(s_answer, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancel, limit.Token);
        try
        {
            await ask(node, both.Token);
            return true;
        }
        catch (Exception e) when (e is ProblemException or OperationCanceledException && !cancel.IsCancellationRequested)
        {
            return false;
        }
    }
}
