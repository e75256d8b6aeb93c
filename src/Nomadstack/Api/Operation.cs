// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;

namespace Nomadstack.Api;

/// <summary>Long work as a resource. The command line and the dashboard follow the same steps.</summary>
internal sealed record Operation
{
    public required string Id { get; init; }

    /// <summary><c>bootstrap|join|cold-boot|drain|hand-over</c>.</summary>
    public required string Kind { get; init; }

    /// <summary>What the operation does now, in words for a person: "start the Nomad bootstrap server".</summary>
    public string Step { get; init; } = "";

    /// <summary><c>running|done|refused|failed</c>.</summary>
    public string State { get; init; } = Running;

    /// <summary>While running: what the step waits for. Afterwards: why it ended; empty when done.</summary>
    public string Reason { get; init; } = "";

    /// <summary>Steps finished so far, in order.</summary>
    public IReadOnlyList<StepDone> Done { get; init; } = [];

    public required DateTimeOffset StartedAt { get; init; }
    public DateTimeOffset StepStartedAt { get; init; }
    public DateTimeOffset? EndedAt { get; init; }

    /// <summary>Set when refused or failed.</summary>
    public Problem? Problem { get; init; }

    public const string Running = "running", Finished = "done", Refused = "refused", Failed = "failed";
}

/// <summary>A finished step and how long it took, in seconds.</summary>
internal sealed record StepDone(string Step, double Seconds);
