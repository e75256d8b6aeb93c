// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;

namespace Nomadstack.Cli.Job;

/// <summary>Why Nomad could not place a group, in a sentence.</summary>
internal static class PlacementFailure
{
    /// <summary>One sentence per group of the evaluation that could not be placed; nothing when all could.</summary>
    public static IReadOnlyList<string> Explain(JsonElement evaluation) =>
        [.. evaluation.Members("FailedTGAllocs").Select(group => Explain(group.Name, group.Value))];

    private static string Explain(string group, JsonElement metric)
    {
        var reasons = new List<string>();
        var evaluated = metric.Number("NodesEvaluated");
        if (evaluated == 0) reasons.Add("no node is eligible");
        foreach (var datacenter in metric.Members("NodesAvailable").Where(d => d.Value.ValueKind == JsonValueKind.Number && d.Value.GetInt64() == 0))
            reasons.Add($"no node is available in datacenter {datacenter.Name}");
        foreach (var constraint in metric.Members("ConstraintFiltered")) reasons.Add($"{Nodes(constraint.Value)} filtered by constraint \"{constraint.Name}\"");
        foreach (var nodeClass in metric.Members("ClassFiltered")) reasons.Add($"{Nodes(nodeClass.Value)} filtered by class {nodeClass.Name}");
        foreach (var dimension in metric.Members("DimensionExhausted")) reasons.Add($"{Nodes(dimension.Value)} exhausted: {dimension.Name}");
        foreach (var quota in metric.Items("QuotaExhausted")) reasons.Add($"quota exhausted: {quota}");
        if (reasons.Count == 0) reasons.Add($"none of {evaluated} evaluated nodes fits");
        return $"Group {group}: {metric.Number("CoalescedFailures") + 1} not placed; {string.Join("; ", reasons)}.";
    }

    private static string Nodes(JsonElement count) => count.ToString() == "1" ? "1 node" : $"{count} nodes";
}
