// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using Nomadstack.Api;
using Nomadstack.Cli.Options;
using Nomadstack.Cli.Output;

namespace Nomadstack.Cli.Snapshot;

/// <summary><c>nomadstack snapshot policy</c>: how often snapshots are taken and how long they are kept.</summary>
internal sealed class PolicyCommand : Command
{
    public PolicyCommand(Surroundings here, GlobalOptions global)
        : base("policy", "Show or change how snapshots are taken and kept")
    {
        var every = Setting.Span(here, "--every", "How often one is taken (default: 15m); 0s for never");
        var dense = Setting.Span(here, "--dense", "How long every one is kept (default: 4h)");
        var thin = Setting.Span(here, "--thin", "How long one a day is kept (default: 168h)");
        var target = Setting.Text(here, "--target", "TARGET", "Where a copy of each goes besides the server nodes: folder:/PATH, or s3://BUCKET/PREFIX?endpoint=URL&region=REGION; empty for nowhere");
        var credentials = Setting.Text(here, "--credentials-file", "FILE", "The keys of the bucket, as other tools for S3 read them (default: those in the surroundings of the agents)");
        foreach (var option in (Option[])[every, dense, thin, target, credentials]) Options.Add(option);
        SetAction(async (parse, cancel) =>
        {
            using var agent = global.Client(parse);
            var policy = await agent.SnapshotPolicyAsync(new(Seconds(parse.GetValue(every)), Seconds(parse.GetValue(dense)), Seconds(parse.GetValue(thin)), parse.GetValue(target), parse.GetValue(credentials) is { } file ? SnapshotFiles.Whole(here, file, "--credentials-file") : null), cancel);
            if (parse.GetValue(global.Json))
            {
                Answer.Json(here, policy, ApiJson.Readable.SnapshotPolicyStatus);
                return ExitCode.Done;
            }

            here.Out.WriteLine(policy.EverySeconds == 0 ? "No snapshots are taken by themselves." : $"A snapshot is taken every {Words(policy.EverySeconds)}.");
            here.Out.WriteLine($"Each is kept for {Words(policy.DenseSeconds)}, one a day for {Words(policy.ThinSeconds)}, and the last verified one for ever.");
            if (policy.Target.Length > 0) here.Out.WriteLine($"Copies go to {policy.Target}.");
            return ExitCode.Done;
        });
    }

    private static int? Seconds(TimeSpan? span) => span is { } given ? (int)given.TotalSeconds : null;

    private static string Words(int seconds) => TimeSpan.FromSeconds(seconds) is var span && span.TotalDays >= 1 && seconds % 86400 == 0 ? $"{span.TotalDays:0} d" : seconds % 3600 == 0 ? $"{span.TotalHours:0} h" : seconds % 60 == 0 ? $"{span.TotalMinutes:0} min" : $"{seconds} s";
}
