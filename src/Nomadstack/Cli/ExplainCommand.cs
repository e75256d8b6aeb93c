// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using Nomadstack.Api;
using Nomadstack.Cli.Options;
using Nomadstack.Cli.Output;
using Nomadstack.Cluster;
using Nomadstack.Explain;
using Nomadstack.Timeline;

namespace Nomadstack.Cli;

/// <summary><c>nomadstack explain</c>: why the cluster is in the state it is in. Works with no leader, and with no agent.</summary>
internal sealed class ExplainCommand : Command
{
    public ExplainCommand(Surroundings here, GlobalOptions global)
        : base("explain", "Tell why the cluster is in the state it is in, step by step, and what to do")
    {
        SetAction(async (parse, cancel) =>
        {
            var paths = global.Paths(parse);
            using var agent = global.Client(parse);
            var records = NodeRecords.Read(paths, ProductTable.Known);
            var status = await StatusAsync(agent, cancel);
            var timeline = records.Node.Length > 0
                ? await TimelineCommand.ReadAsync(agent, paths, new TimelineQuery(), cancel)
                : new(TimelineDocument.CurrentSchema, [], [], false, "");
            var explanation = Story.Of(new(here.Time.GetUtcNow(), records, status, timeline));
            if (parse.GetValue(global.Json)) Answer.Json(here, explanation, ExplainJson.Readable.Explanation);
            else ExplainText.Write(here, explanation);
            return ExitCode.Done;
        });
    }

    /// <summary>Null where no agent runs: then the disk tells.</summary>
    private static async Task<StatusDocument?> StatusAsync(AgentClient agent, CancellationToken cancel)
    {
        try
        {
            return await agent.StatusAsync(cancel);
        }
        catch (ProblemException e) when (e.Problem.Code == AgentPresence.ProblemCode)
        {
            return null;
        }
    }
}
