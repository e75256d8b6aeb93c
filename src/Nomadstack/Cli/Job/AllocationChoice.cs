// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using Nomadstack.Cluster;
using Nomadstack.Nomad;

namespace Nomadstack.Cli.Job;

/// <summary>One task of one allocation, and how it is called among others.</summary>
/// <param name="Name">Such as <c>web.front[0]</c>.</param>
/// <param name="Runs">Its client says that the allocation runs.</param>
internal sealed record ChosenTask(string Allocation, string Name, string Task, bool Runs);

/// <summary>What a person means who names a job or the beginning of an allocation's id.</summary>
internal static class AllocationChoice
{
    /// <summary>The tasks of an allocation, or of the newest allocations of a job, one for each name. Never empty.</summary>
    /// <param name="task">Only this one; null for all.</param>
    /// <exception cref="ProblemException">There is none such.</exception>
    public static async Task<IReadOnlyList<ChosenTask>> FindAsync(JobsApi jobs, string target, string? task, CancellationToken cancel)
    {
        var all = new List<ChosenTask>();
        foreach (var allocation in await AllocationsAsync(jobs, target, cancel))
        {
            var id = allocation.Text("ID");
            foreach (var name in await TasksAsync(jobs, allocation, cancel)) all.Add(new(id, allocation.Text("Name"), name, allocation.Text("ClientStatus") == "running"));
        }

        var chosen = all.Where(t => task is null || t.Task == task).ToList();
        return chosen.Count > 0 ? chosen : throw new ProblemException(JobProblems.NoTask(target, task ?? "", all.Select(t => t.Task).Distinct()));
    }

    public static string Short(string allocation) => allocation.Length > 8 ? allocation[..8] : allocation;

    private static async Task<IReadOnlyList<JsonElement>> AllocationsAsync(JobsApi jobs, string target, CancellationToken cancel)
    {
        if (await JobAsync(jobs, target, cancel) is { } job)
        {
            var all = (await jobs.AllocationsAsync(target, cancel)).Items().ToList();
            if (all.Count == 0) throw new ProblemException(JobProblems.NoAllocations(target));
            var wanted = all.Where(a => a.Text("DesiredStatus") == "run").ToList();
            // A system job gives the allocations of all nodes the same name.
            var byNode = job.Text("Type") is "system" or "sysbatch";
            return
            [
                .. (wanted.Count > 0 ? wanted : all).GroupBy(a => (a.Text("Name"), byNode ? a.Text("NodeID") : ""))
                    .Select(same => same.MaxBy(a => a.Number("CreateIndex"))).OrderBy(a => a.Text("Name"), StringComparer.Ordinal),
            ];
        }

        var like = await jobs.AllocationsLikeAsync(target, cancel);
        return like.Count switch
        {
            0 => throw new ProblemException(JobProblems.UnknownTarget(target)),
            1 => like,
            _ => throw new ProblemException(JobProblems.SeveralAllocations(target, like.Select(a => a.Text("ID")))),
        };
    }

    private static async Task<JsonElement?> JobAsync(JobsApi jobs, string id, CancellationToken cancel)
    {
        try
        {
            return await jobs.JobAsync(id, cancel);
        }
        catch (ProblemException e) when (e.Problem.Code == JobsApi.Unknown)
        {
            return null;
        }
    }

    private static async Task<IReadOnlyList<string>> TasksAsync(JobsApi jobs, JsonElement allocation, CancellationToken cancel)
    {
        var known = allocation.Members("TaskStates").Select(t => t.Name).ToList();
        if (known.Count > 0) return known;
        // No client has said anything of it yet: the tasks are those of its job.
        var whole = await jobs.AllocationAsync(allocation.Text("ID"), cancel);
        var groups = whole.Members("Job").Where(m => m.Name == "TaskGroups").SelectMany(m => m.Value.Items());
        return [.. groups.Where(g => g.Text("Name") == whole.Text("TaskGroup")).SelectMany(g => g.Items("Tasks")).Select(t => t.Text("Name"))];
    }
}
