// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using Nomadstack.Api;
using Nomadstack.Cli.Options;
using Nomadstack.Cli.Output;

namespace Nomadstack.Cli;

/// <summary><c>nomadstack recover</c>: the decisions after lost state that only a person may make.</summary>
internal sealed class RecoverCommand : Command
{
    public RecoverCommand(Surroundings here, GlobalOptions global)
        : base("recover", "Go on after a majority of servers was lost for good, from the best data that is left")
    {
        var lost = Setting.Many(here, "--accept-data-loss", "NODE", "Nodes that never return: what only they had is given up", text => text);
        lost.AllowMultipleArgumentsPerToken = true;
        var plan = Setting.Flag(here, "--plan", "Show what would be done, and do nothing");
        var yes = Setting.Flag(here, "--yes", "Do not ask");
        var accept = Setting.Flag(here, "--accept-state", "Start this node's client with the older state that the servers have. Tasks that are not in that state are stopped");
        foreach (var option in new Option[] { lost, plan, yes, accept }) Options.Add(option);
        var detach = new DetachOption(this, here);
        SetAction(async (parse, cancel) =>
        {
            using var agent = global.Client(parse);
            var json = parse.GetValue(global.Json);
            if (parse.GetValue(accept))
            {
                var acceptable = await agent.PlanAcceptStateAsync(cancel);
                if (json) Answer.Json(here, acceptable, ApiJson.Readable.AcceptPlan);
                else Show(parse.GetValue(plan) ? here.Out : here.Error, acceptable);
                if (parse.GetValue(plan)) return ExitCode.Done;
                if (!Consent.To(here, "Start this node's client with the older state?", parse.GetValue(yes))) return ExitCode.RefusedAsUnsafe;
                await agent.AcceptStateAsync(new([.. acceptable.Stopped.Select(a => a.Id)]), cancel);
                new ProgressWriter(here).Done("accepted: this node's client starts with the state of the servers");
                return ExitCode.Done;
            }

            var request = new RecoverRequest(parse.GetValue(lost));
            var planned = await agent.PlanRecoveryAsync(request, cancel);
            if (parse.GetValue(plan))
            {
                if (json) Answer.Json(here, planned, ApiJson.Readable.RecoverPlan);
                else Show(here.Out, planned);
                return planned.Products.Any(p => p.State == RecoverPlanItem.Refused) ? ExitCode.RefusedAsUnsafe : ExitCode.Done;
            }

            if (planned.Products.Any(p => p.State == RecoverPlanItem.Recover)) Show(here.Error, planned);
            if (planned.Products.All(p => p.State != RecoverPlanItem.Refused) && !Consent.To(here, "Give up what is lost?", parse.GetValue(yes))) return ExitCode.RefusedAsUnsafe;
            return await OperationEnd.ReachAsync(here, agent, await agent.RecoverAsync(request with { Seen = planned.ToSeen() }, cancel), detach.Read(parse), json, cancel);
        });
    }

    private static void Show(TextWriter to, AcceptPlan plan)
    {
        to.WriteLine($"This node's client waits for {plan.WaitsFor}.");
        to.WriteLine(plan.Stopped.Count == 0
            ? "The servers know every allocation that this node remembers. What they have stopped or changed in their older state is done here as well."
            : $"The servers do not know {(plan.Stopped.Count == 1 ? "this allocation, which is" : "these allocations, which are")} stopped, and {(plan.Stopped.Count == 1 ? "its" : "their")} files removed:");
        foreach (var allocation in plan.Stopped) to.WriteLine($"  {allocation.Id}  {(allocation.Name.Length > 0 ? allocation.Name : "(name unknown)")}");
    }

    private static void Show(TextWriter to, RecoverPlan plan)
    {
        foreach (var product in plan.Products)
        {
            to.WriteLine(product.State switch
            {
                RecoverPlanItem.Recover => $"{product.Product}: the majority is lost",
                RecoverPlanItem.Refused => $"{product.Product}: refused ({product.Problem!.Code})",
                _ => $"{product.Product}: nothing to recover, {string.Join(" ", product.Lines)}",
            });
            if (product.State == RecoverPlanItem.Recover)
                foreach (var line in product.Lines) to.WriteLine("  " + line);
            if (product.Problem is { } problem)
                foreach (var part in new[] { problem.What, problem.Why, problem.Fix }) to.WriteLine("  " + part);
        }
    }
}
