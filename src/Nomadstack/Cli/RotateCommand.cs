// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using Nomadstack.Api;
using Nomadstack.Cli.Options;
using Nomadstack.Cli.Output;

namespace Nomadstack.Cli;

/// <summary><c>nomadstack rotate</c>: replaces certificates, authorities, gossip keys and tokens while the cluster runs.</summary>
internal sealed class RotateCommand : Command
{
    public RotateCommand(Surroundings here, GlobalOptions global)
        : base("rotate", "Replace certificates, CAs, gossip keys and tokens while the cluster runs")
    {
        var what = new Argument<string>("WHAT") { Description = "certs, ca, gossip, tokens or all" };
        what.AcceptOnlyFromAmong("certs", "ca", "gossip", "tokens", "all");
        var product = Setting.Text(here, "--product", "PRODUCT", "Only those of one product (default: all products)");
        var plan = Setting.Flag(here, "--plan", "Show what would be done, and do nothing");
        Arguments.Add(what);
        Options.Add(product);
        Options.Add(plan);
        var detach = new DetachOption(this, here);
        SetAction(async (parse, cancel) =>
        {
            using var agent = global.Client(parse);
            var request = new RotateRequest(parse.GetRequiredValue(what), parse.GetValue(product));
            if (!parse.GetValue(plan)) return await OperationEnd.ReachAsync(here, agent, await agent.RotateAsync(request, cancel), detach.Read(parse), parse.GetValue(global.Json), cancel);
            var planned = await agent.PlanRotationAsync(request, cancel);
            if (parse.GetValue(global.Json)) Answer.Json(here, planned, ApiJson.Readable.RotatePlan);
            else Show(here, planned);
            return ExitCode.Done;
        });
    }

    private static void Show(Surroundings here, RotatePlan plan)
    {
        here.Out.WriteLine("Replaced while the cluster runs, one after the other:");
        foreach (var item in plan.Items) here.Out.WriteLine("  " + item);
        foreach (var effect in plan.Effects) here.Out.WriteLine("Note: " + effect + ".");
        if (plan.Away.Count > 0) here.Out.WriteLine($"Away now: {string.Join(", ", plan.Away)}. They read what is new when they come back.");
    }
}
