// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using System.Text.Json;
using Nomadstack.Api;
using Nomadstack.Cli.Options;
using Nomadstack.Cli.Output;
using Nomadstack.Cluster;

namespace Nomadstack.Cli;

/// <summary><c>nomadstack status</c>: what the local agent sees. Works without a leader. An unhealthy cluster is not a failure of the command.</summary>
internal sealed class StatusCommand : Command
{
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(500);

    private readonly Surroundings _here;
    private readonly GlobalOptions _global;
    private readonly Option<bool> _watch;

    public StatusCommand(Surroundings here, GlobalOptions global)
        : base("status", "Show the state of the cluster and the reason for it")
    {
        _here = here;
        _global = global;
        _watch = Setting.Flag(here, "--watch", "Print the status again at each change, until Ctrl-C (with --json: one line each time)");
        Options.Add(_watch);
        SetAction(RunAsync);
    }

    private async Task<int> RunAsync(ParseResult parse, CancellationToken cancel)
    {
        var json = parse.GetValue(_global.Json);
        using var agent = _global.Client(parse);
        var status = await agent.StatusAsync(cancel);
        if (parse.GetValue(_watch)) return await WatchAsync(agent, status, json, cancel);
        if (json) Answer.Json(_here, status, ApiJson.Readable.StatusDocument);
        else StatusText.Write(_here.Out, status, _here.Time.GetUtcNow());
        return ExitCode.Done;
    }

    /// <summary>An agent that goes away is shown as gone, and the watch goes on.</summary>
    private async Task<int> WatchAsync(AgentClient agent, StatusDocument? status, bool json, CancellationToken cancel)
    {
        var shown = "";
        Problem? away = null;
        try
        {
            while (true)
            {
                // Compared as text, since a record of lists does not compare by value.
                var now = status is not null ? JsonSerializer.Serialize(status, ApiJson.Default.StatusDocument) : away!.Why;
                if (now != shown) Redraw(status, away, now, json);
                shown = now;
                if (_here.OutIsGone) return ExitCode.Done;
                await Task.Delay(s_interval, _here.Time, cancel);
                try
                {
                    (status, away) = (await agent.StatusAsync(cancel), null);
                }
                catch (ProblemException e) when (e.Problem.Code == AgentPresence.ProblemCode)
                {
                    (status, away) = (null, e.Problem);
                }
            }
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            return ExitCode.Done;
        }
    }

    private void Redraw(StatusDocument? status, Problem? away, string line, bool json)
    {
        if (json && status is not null) _here.Out.WriteLine(line);
        else if (status is null) Answer.Problem(_here, away!, json: false);
        else
        {
            _here.Out.Write(_here.LiveOut ? "\u001b[H\u001b[2J" : "");
            StatusText.Write(_here.Out, status, _here.Time.GetUtcNow());
            if (!_here.LiveOut) _here.Out.WriteLine();
        }

        _here.Out.Flush();
    }
}
