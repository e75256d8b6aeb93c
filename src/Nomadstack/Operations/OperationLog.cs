// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Serialization;
using Nomadstack.Api;
using Nomadstack.Cluster;
using Nomadstack.Storage;
using Nomadstack.Timeline;

namespace Nomadstack.Operations;

/// <summary>An operation on disk: enough to continue it after a crash, and to show it afterwards.</summary>
internal sealed record OperationFile : IHasSchema
{
    public const int CurrentSchema = 1;

    public int Schema { get; init; } = CurrentSchema;

    public required Operation Operation { get; init; }

    /// <summary>The request, in the form that this kind of operation reads.</summary>
    public IReadOnlyDictionary<string, string> Request { get; set; } = new Dictionary<string, string>();

    /// <summary>Intent to undo, written before the first act of undoing.</summary>
    public bool Undoing { get; set; }
}

[JsonSourceGenerationOptions(GenerationMode = JsonSourceGenerationMode.Metadata, WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(OperationFile))]
internal sealed partial class OperationsJson : JsonSerializerContext;

/// <summary>All operations of this node, running and finished; each is a file in <c>operations/</c>, written when its step or state changes.</summary>
internal sealed class OperationLog(NodePaths paths, TimeProvider time, Journal? timeline = null)
{
    /// <summary>Only the newest twenty finished operations are kept.</summary>
    private const int Kept = 20;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, OperationRun> _runs = [];
    private readonly OperationEvents _events = new(timeline ?? Journal.Nowhere);

    /// <summary>Newest first.</summary>
    public IReadOnlyList<Operation> All
    {
        get
        {
            lock (_lock) return [.. _runs.Values.Select(r => r.Current).OrderByDescending(o => o.StartedAt)];
        }
    }

    public OperationRun? Find(string id)
    {
        lock (_lock) return _runs.GetValueOrDefault(id);
    }

    /// <summary>The running operation of a kind, if any: what a killed agent continues.</summary>
    public OperationRun? Unfinished(string kind)
    {
        lock (_lock) return _runs.Values.FirstOrDefault(r => r.Current.Kind == kind && r.Current.State == Operation.Running);
    }

    /// <summary>All running operations of a kind.</summary>
    public IReadOnlyList<OperationRun> AllUnfinished(string kind)
    {
        lock (_lock) return [.. _runs.Values.Where(r => r.Current.Kind == kind && r.Current.State == Operation.Running)];
    }

    /// <summary>The running operation of a kind whose request has this value, if any.</summary>
    public OperationRun? Unfinished(string kind, string name, string value)
    {
        lock (_lock) return _runs.Values.FirstOrDefault(r => r.Current.Kind == kind && r.Current.State == Operation.Running && r.Request.GetValueOrDefault(name) == value);
    }

    /// <summary>Reads what earlier agents left.</summary>
    public void Load()
    {
        if (!Directory.Exists(paths.Operations)) return;
        foreach (var path in Directory.EnumerateFiles(paths.Operations, "*.json"))
        {
            var file = FileAt(path);
            if (file.Read() is not { } content) continue;
            lock (_lock) _runs[content.Operation.Id] = new OperationRun(content, file, time, _events);
        }

        Trim();
    }

    private void Trim()
    {
        foreach (var old in All.Where(o => o.State != Operation.Running).Skip(Kept))
        {
            lock (_lock)
            {
                _runs[old.Id].Forget();
                _runs.Remove(old.Id);
            }
        }
    }

    /// <summary>Begins an operation; its intent is on disk when this returns.</summary>
    public OperationRun Begin(string kind, IReadOnlyDictionary<string, string>? request = null)
    {
        var now = time.GetUtcNow();
        var id = $"{kind}-{now:yyyyMMdd'T'HHmmss}-{Guid.NewGuid().ToString()[..4]}";
        var content = new OperationFile
        {
            Operation = new Operation { Id = id, Kind = kind, StartedAt = now, StepStartedAt = now },
            Request = request ?? new Dictionary<string, string>(),
        };
        var run = new OperationRun(content, FileAt(Path.Combine(paths.Operations, id + ".json")), time, _events);
        run.Save();
        _events.Started(run.Current);
        lock (_lock) _runs[id] = run;
        Trim();
        return run;
    }

    private static DurableFile<OperationFile> FileAt(string path) => new(path, OperationFile.CurrentSchema, OperationsJson.Default.OperationFile);
}

/// <summary>One running operation: its step, what it waits for, and how it ended.</summary>
internal sealed class OperationRun(OperationFile content, DurableFile<OperationFile> file, TimeProvider time, OperationEvents events)
{
    private readonly Lock _lock = new();
    private OperationFile _content = content;

    public Operation Current => _content.Operation;

    public IReadOnlyDictionary<string, string> Request => _content.Request;

    public bool Undoing => _content.Undoing;

    /// <summary>Enters a step; the same step again changes nothing.</summary>
    public void Step(string step)
    {
        lock (_lock)
        {
            var o = Current;
            if (o.Step == step || o.State != Operation.Running) return;
            var now = time.GetUtcNow();
            Set(o with { Step = step, Reason = "", StepStartedAt = now, Done = o.Step.Length == 0 ? o.Done : [.. o.Done, new(o.Step, Seconds(o.StepStartedAt, now))] });
            Save();
            events.Step(Current);
        }
    }

    /// <summary>What the step waits for. Shown, not written to disk.</summary>
    public void WaitFor(string what)
    {
        lock (_lock)
        {
            if (Current.Reason != what) Set(Current with { Reason = what });
        }
    }

    public void IntendUndo()
    {
        lock (_lock)
        {
            _content = _content with { Undoing = true };
            Save();
        }
    }

    public void Finish(string note = "") => End(Operation.Finished, note, null);

    public void Fail(Problem problem) => End(problem.Unsafe ? Operation.Refused : Operation.Failed, problem.What, problem);

    public void Save() => file.Write(_content);

    public void Forget() => file.Delete();

    private void End(string state, string reason, Problem? problem)
    {
        lock (_lock)
        {
            var o = Current;
            if (o.State != Operation.Running) return;
            var now = time.GetUtcNow();
            var done = state == Operation.Finished && o.Step.Length > 0 ? [.. o.Done, new StepDone(o.Step, Seconds(o.StepStartedAt, now))] : o.Done;
            Set(o with { State = state, Reason = reason, Problem = problem, EndedAt = now, Done = done });
            Save();
            events.Ended(Current);
        }
    }

    private void Set(Operation operation) => _content = _content with { Operation = operation };

    private static double Seconds(DateTimeOffset from, DateTimeOffset to) => Math.Round((to - from).TotalSeconds, 1);
}
