// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;

namespace Nomadstack.Cli.Job;

/// <summary>
/// What made tasks fail, as far as it was seen. The first event is kept: it is the cause, and Nomad keeps only the last ten events of a task, which are soon about
/// restarts alone.
/// </summary>
internal sealed class TaskFailures
{
    private readonly HashSet<string> _tasks = [];

    /// <summary>The first failure of all, as it is shown; empty while nothing has failed.</summary>
    public string First { get; private set; } = "";

    /// <summary>Looks at a job's present allocations. Returns the first failure of each task that had none before, oldest first.</summary>
    public IReadOnlyList<string> Look(IEnumerable<JsonElement> allocations)
    {
        var failures = allocations.Where(a => a.Text("DesiredStatus") != "stop")
            .SelectMany(a => a.Members("TaskStates").SelectMany(task => task.Value.Items("Events").Where(IsFailure).Select(e => (Allocation: a, Task: task.Name, Event: e))))
            .OrderBy(f => f.Event.Number("Time")).Where(f => _tasks.Add(f.Task)).Select(f => Describe(f.Allocation, f.Task, f.Event)).ToList();
        if (First.Length == 0 && failures.Count > 0) First = failures[0];
        return failures;
    }

    /// <summary>Whether a task did what it should not: it could not be started, or its process ended badly. What the client does about it is no failure of its own.</summary>
    public static bool IsFailure(JsonElement e) => e.Text("Type") switch
    {
        "Driver Failure" or "Setup Failure" or "Failed Artifact Download" or "Failed Validation" or "Task hook failed" or "Failed Restoring Task" => true,
        // A task that is told to end may say so with any code; its allocation is then to stop, and not looked at.
        "Terminated" => e.Number("ExitCode") != 0 || e.Members("Details").Any(d => d is { Name: "exit_code", Value.ValueKind: JsonValueKind.String } && d.Value.GetString() != "0"),
        _ => false,
    };

    public static string Describe(JsonElement allocation, string task, JsonElement e)
    {
        var text = e.Text("DisplayMessage") is { Length: > 0 } shown ? shown : e.Text("Type");
        return $"{Where(allocation)}, task {task}: {text.TrimEnd('.')}";
    }

    /// <summary>An allocation and its node.</summary>
    public static string Where(JsonElement allocation) =>
        $"{AllocationChoice.Short(allocation.Text("ID"))} on {(allocation.Text("NodeName") is { Length: > 0 } node ? node : "a node")}";
}
