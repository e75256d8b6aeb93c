// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Engine.State;

/// <summary>How many allocations of a job there are in which client status, group by group.</summary>
internal sealed record JobSummary
{
    public string JobID { get; init; } = "";
    public string Namespace { get; init; } = "default";
    public IReadOnlyDictionary<string, TaskGroupSummary> Summary { get; init; } = new Dictionary<string, TaskGroupSummary>();
    public ChildrenSummary Children { get; init; } = new(0, 0, 0);
    public long CreateIndex { get; init; }
    public long ModifyIndex { get; init; }

    public JobSummary With(string group, TaskGroupSummary summary, long index) =>
        this with { ModifyIndex = index, Summary = new SortedDictionary<string, TaskGroupSummary>(Summary.ToDictionary(), StringComparer.Ordinal) { [group] = summary } };
}

internal sealed record ChildrenSummary(int Pending, int Running, int Dead);

internal sealed record TaskGroupSummary
{
    public int Queued { get; init; }
    public int Complete { get; init; }
    public int Failed { get; init; }
    public int Running { get; init; }
    public int Starting { get; init; }
    public int Lost { get; init; }

    /// <summary>One more, or one less, in a client status. What is over stays counted.</summary>
    public TaskGroupSummary Count(string clientStatus, int change) => clientStatus switch
    {
        ClientStatus.Pending => this with { Starting = Math.Max(0, Starting + change) },
        ClientStatus.Running => this with { Running = Math.Max(0, Running + change) },
        ClientStatus.Lost => this with { Lost = Math.Max(0, Lost + change) },
        ClientStatus.Complete when change > 0 => this with { Complete = Complete + change },
        ClientStatus.Failed when change > 0 => this with { Failed = Failed + change },
        _ => this,
    };
}
