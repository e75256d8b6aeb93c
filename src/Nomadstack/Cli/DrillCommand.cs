// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using System.Globalization;
using Nomadstack.Api;
using Nomadstack.Cli.Options;
using Nomadstack.Cli.Output;
using Nomadstack.Cluster;

namespace Nomadstack.Cli;

/// <summary><c>nomadstack drill</c>: rehearses what nobody wants to try out on the cluster itself. Exit code 1 when something would have been lost.</summary>
internal sealed class DrillCommand : Command
{
    private const string Operation = "drill";

    private readonly Surroundings _here;
    private readonly GlobalOptions _global;

    public DrillCommand(Surroundings here, GlobalOptions global)
        : base(Operation, "Rehearse a disaster with this cluster's state on throw-away servers, and measure it")
    {
        (_here, _global) = (here, global);
        Add("power-cut", "Kill three servers that have the cluster's state, and start them again");
        Add("lost-quorum", "Kill two of three servers that have the cluster's state, and go on with the last one");
        Add("restore", "Restore the cluster's state into a blank server");
    }

    private void Add(string what, string description)
    {
        var command = new Command(what, description);
        command.SetAction((parse, cancel) => RunAsync(what, parse, cancel));
        Subcommands.Add(command);
    }

    private async Task<int> RunAsync(string what, ParseResult parse, CancellationToken cancel)
    {
        using var agent = _global.Client(parse);
        var drill = agent.DrillAsync(new(what), cancel);
        await ShowAsync(agent, drill, cancel);
        var report = await drill;
        if (parse.GetValue(_global.Json)) Answer.Json(_here, report, ApiJson.Readable.DrillReport);
        else Write(report);
        return report.Passed ? ExitCode.Done : ExitCode.Failed;
    }

    /// <summary>What the drill does, while it does it.</summary>
    private async Task ShowAsync(AgentClient agent, Task drill, CancellationToken cancel)
    {
        var progress = new ProgressWriter(_here);
        try
        {
            while (await Task.WhenAny(drill, Task.Delay(Follower.Interval, _here.Time, cancel)) != drill)
            {
                // The drill's own call tells when the agent goes away, and why.
                cancel.ThrowIfCancellationRequested();
                if ((await agent.OperationsAsync(cancel)).FirstOrDefault(o => o is { Kind: Operation, State: Api.Operation.Running }) is { } running) progress.Show(running);
            }
        }
        catch (ProblemException) when (drill.IsFaulted)
        {
            // It is thrown by the drill.
        }
        finally
        {
            progress.Clear();
        }
    }

    private void Write(DrillReport report)
    {
        _here.Out.WriteLine(report.Passed ? $"{report.What}: nothing was lost" : $"{report.What}: SOMETHING WAS LOST");
        var steps = new Table("PRODUCT", "SECONDS", "STEP");
        var counts = new Table("PRODUCT", "WHAT", "BEFORE", "AFTER", "LOST");
        foreach (var product in report.Products)
        {
            foreach (var step in product.Steps) steps.Row(product.Product, step.Seconds.ToString("0.0", CultureInfo.InvariantCulture), step.Step);
            foreach (var count in product.Counts) counts.Row(product.Product, count.Kind, Number(count.Before), Number(count.After), count.Lost ? "yes" : "no");
            var (seconds, on) = (product.LeaderSeconds.ToString("0.0", CultureInfo.InvariantCulture), product.Servers == 1 ? "1 server" : $"{Number(product.Servers)} servers");
            _here.Out.WriteLine($"{StatusText.Title(product.Product)}: {seconds} s until a server served again, with {Number(product.SnapshotBytes)} bytes of state on {on}.");
        }

        _here.Out.WriteLine();
        steps.WriteTo(_here.Out);
        _here.Out.WriteLine();
        counts.WriteTo(_here.Out);
        _here.Out.WriteLine();
        _here.Out.WriteLine("The cluster itself was only read.");
        _here.Out.Flush();
    }

    private static string Number(long number) => number.ToString(CultureInfo.InvariantCulture);
}
