// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using Nomadstack.Api;
using Nomadstack.Timeline;

namespace Nomadstack.Operations;

/// <summary>Tells the timeline what an operation does. Never its request, which may name anything.</summary>
internal sealed class OperationEvents(Journal timeline)
{
    public void Started(Operation operation) =>
        timeline.Tell(EventKinds.OperationStarted, $"The {Name(operation)} has begun.", (EventFields.Operation, operation.Id));

    public void Step(Operation operation) =>
        timeline.Tell(EventKinds.OperationStep, $"The {Name(operation)}: {operation.Step}.", (EventFields.Operation, operation.Id));

    public void Ended(Operation operation)
    {
        var seconds = (((operation.EndedAt ?? operation.StartedAt) - operation.StartedAt).TotalSeconds).ToString("0.0", CultureInfo.InvariantCulture);
        if (operation.State == Operation.Finished)
        {
            var note = operation.Reason.Length > 0 ? $": {operation.Reason}" : "";
            timeline.Tell(EventKinds.OperationDone, $"The {Name(operation)} is done after {seconds} s{note}.", (EventFields.Operation, operation.Id), (EventFields.Seconds, seconds));
            return;
        }

        var (what, code) = (operation.Problem?.What ?? operation.Reason, operation.Problem?.Code ?? "");
        timeline.Tell(
            EventKinds.OperationFailed, $"The {Name(operation)} {(operation.State == Operation.Refused ? "was refused" : "has failed")} after {seconds} s. {what}",
            (EventFields.Operation, operation.Id), (EventFields.Seconds, seconds), (EventFields.Problem, code));
    }

    private static string Name(Operation operation) => operation.Kind.Replace('-', ' ');
}
