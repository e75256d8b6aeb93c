// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using Nomadstack.Cluster;

namespace Nomadstack.Cli.Options;

/// <summary><c>--timeout</c> for a command that otherwise follows its work to the end. Exit code 3 when the time is over.</summary>
internal sealed class TimeoutOption
{
    private readonly Surroundings _here;
    private readonly Option<TimeSpan?> _timeout;

    public TimeoutOption(Command command, Surroundings here)
    {
        _here = here;
        _timeout = Setting.Span(here, "--timeout", "How long to follow (default: no limit); exit code 3 when the time is over");
        command.Options.Add(_timeout);
    }

    /// <param name="what">What to say when the time is over, without a full stop: <c>Job web does not run yet</c>.</param>
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
            throw new ProblemException(CliProblems.TimedOut(what, Duration.Show(limit!.Value)), e);
        }
    }
}
