// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using Nomadstack.Cluster;

namespace Nomadstack.Cli.Options;

/// <summary><c>--timeout</c> of a command that otherwise follows to the end: exit code 3 when it is over.</summary>
internal sealed class TimeoutOption
{
    private readonly Surroundings _here;
    private readonly Option<TimeSpan?> _timeout;

    public TimeoutOption(Command command, Surroundings here)
    {
        _here = here;
        _timeout = Setting.Span(here, "--timeout", "How long to follow at most (no limit unless given); exit code 3 when it is over");
        command.Options.Add(_timeout);
    }

    /// <param name="what">What is not so yet when time is up, without a full stop.</param>
    /// <param name="follow">The work to follow.</param>
    public async Task<T> WithinAsync<T>(ParseResult parse, string what, Func<CancellationToken, Task<T>> follow, CancellationToken cancel)
    {
        var limit = parse.GetValue(_timeout);
        using var timer = new CancellationTokenSource(limit ?? Timeout.InfiniteTimeSpan, _here.Time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancel, timer.Token);
        try
        {
            return await follow(both.Token);
        }
        catch (OperationCanceledException e) when (!cancel.IsCancellationRequested)
        {
            throw new ProblemException(new(ExitCode.TimedOutCode, $"{what}, {Duration.Show(limit!.Value)} after it was asked for.", "The time given with --timeout is over; the cluster goes on with it.", "See `nomadstack job status`, or follow longer with a greater --timeout."), e);
        }
    }
}
