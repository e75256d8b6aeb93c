// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using Nomadstack.Clients;
using Nomadstack.Cluster;
using Nomadstack.Processes;
using Nomadstack.Timeline;

namespace Nomadstack.Node;

/// <summary>Tells the timeline of the agent's own life and of its processes.</summary>
internal sealed class AgentEvents(Journal timeline, ProductTable table, TimeProvider time)
{
    /// <summary>The agent's start, and what its journal shows of the time before.</summary>
    /// <param name="boot">The id of the machine's boot.</param>
    public void Started(string boot, string version)
    {
        timeline.Open();
        if (timeline.Last is { } last && last.Boot != boot)
        {
            var off = time.GetUtcNow() - last.At;
            var seconds = off.TotalSeconds.ToString("0", CultureInfo.InvariantCulture);
            timeline.Tell(EventKinds.ColdBoot, $"The machine has started anew. The last that is known from before is {Words(off)} old.", (EventFields.Seconds, seconds));
        }

        var killed = timeline.LastOfAgent is { Kind: EventKinds.AgentStarted };
        timeline.Tell(
            EventKinds.AgentStarted,
            killed ? $"The agent {version} has started. The one before it ended without a word." : $"The agent {version} has started.",
            (EventFields.Before, timeline.LastOfAgent is null ? "none" : killed ? "killed" : "stopped"));
    }

    /// <param name="waited">What was done before it was there; empty for nothing.</param>
    public void Addressed(string before, string now, string waited)
    {
        if (waited.Length > 0) timeline.Tell(EventKinds.AddressAwaited, $"The agent had to {waited}. It is there now.");
        if (before != now) timeline.Tell(EventKinds.AddressChanged, $"This node's address was {before} and is {now} now.", (EventFields.Before, before));
    }

    /// <param name="everything">Its processes were stopped before it.</param>
    public void Stopped(bool everything)
    {
        timeline.Tell(EventKinds.AgentStopped, everything ? "The agent stops, and has stopped all that it ran." : "The agent stops. What it runs goes on.");
        timeline.Sync();
    }

    public void OfProcess(ProcessEvent e)
    {
        if (Happened(e.Kind) is not { } happened) return;
        var product = table.Stack.FirstOrDefault(p => e.Name.StartsWith(p.Name + "-", StringComparison.Ordinal));
        var client = product is not null && e.Name == ClientKeeper.ProcessNameOf(product);
        var what = client ? "client" : e.Name.EndsWith("-bootstrap", StringComparison.Ordinal) ? "bootstrap server" : "server";
        var kind = EventKinds.Of(client ? EventKinds.Client : EventKinds.Server, happened);
        timeline.Tell(kind, $"The {product?.Title ?? e.Name} {what}: {e.Brief}", (EventFields.Role, product?.Name ?? e.Name));
    }

    private static string? Happened(ProcessEventKind kind) => kind switch
    {
        ProcessEventKind.Started => EventKinds.Started,
        ProcessEventKind.Adopted => EventKinds.Adopted,
        ProcessEventKind.Exited => EventKinds.Exited,
        ProcessEventKind.Stopping => EventKinds.Stopping,
        ProcessEventKind.Killed => EventKinds.Killed,
        ProcessEventKind.Trouble => EventKinds.Trouble,
        // A start or an end says the same in a moment.
        _ => null,
    };

    private static string Words(TimeSpan span) => span switch
    {
        { TotalMinutes: < 2 } => string.Create(CultureInfo.InvariantCulture, $"{Math.Max(0, span.TotalSeconds):0} s"),
        { TotalHours: < 2 } => string.Create(CultureInfo.InvariantCulture, $"{span.TotalMinutes:0} minutes"),
        { TotalDays: < 2 } => string.Create(CultureInfo.InvariantCulture, $"{span.TotalHours:0} hours"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{span.TotalDays:0} days"),
    };
}
