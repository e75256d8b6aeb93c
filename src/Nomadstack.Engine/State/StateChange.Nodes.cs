// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Engine.State;

internal sealed partial class StateChange
{
    private const int KeptEvents = 10;
    private const string NotFound = "node not found";

    private string? Register(RegisterNode command)
    {
        var node = command.Node with { StatusUpdatedAt = command.At.ToUnixTimeSeconds(), ModifyIndex = _index };
        if (_state.Node(node.ID) is { } existing)
        {
            node = node with
            {
                CreateIndex = existing.CreateIndex,
                Events = existing.Events,
                SchedulingEligibility = existing.SchedulingEligibility,
                DrainStrategy = existing.DrainStrategy,
                LastDrain = existing.LastDrain,
                // Only a heartbeat makes a known node ready or down: one that registers again may still be restoring its allocations.
                Status = existing.Status,
            };
            if (existing.IsDown) node = WithEvent(node, NodeEvent.Of(NodeEvent.Cluster, "Node re-registered", command.At));
        }
        else
        {
            node = WithEvent(node with { CreateIndex = _index, Events = [] }, NodeEvent.Of(NodeEvent.Cluster, "Node registered", command.At));
            if (node.SchedulingEligibility is null or "") node = node with { SchedulingEligibility = NodeEligibility.Eligible };
        }

        Put(node);
        return null;
    }

    private string? Deregister(DeregisterNodes command)
    {
        if (command.NodeIDs.Any(id => _state.Node(id) is null)) return NotFound;
        foreach (var id in command.NodeIDs) _state = _state with { Nodes = _state.Nodes.Remove(id, _index) };
        return Upsert(command.Evaluations);
    }

    private string? Update(UpdateNodeStatus command)
    {
        if (_state.Node(command.NodeID) is not { } node) return NotFound;
        if (!NodeStatus.All.Contains(command.Status)) return $"invalid status for node: {command.Status}";
        Put(WithEvent(node with { Status = command.Status, StatusUpdatedAt = command.At.ToUnixTimeSeconds() }, command.Event));
        return Upsert(command.Evaluations);
    }

    private string? Update(UpdateNodeDrain command)
    {
        if (_state.Node(command.NodeID) is not { } node) return NotFound;
        var updated = WithEvent(node, command.Event) with
        {
            DrainStrategy = command.Drain,
            StatusUpdatedAt = command.At.ToUnixTimeSeconds(),
            SchedulingEligibility = command.Drain is not null ? NodeEligibility.Ineligible : command.MarkEligible ? NodeEligibility.Eligible : node.SchedulingEligibility,
        };
        if (node.DrainStrategy is not null || command.Drain is not null)
        {
            var last = node.DrainStrategy is not null && node.LastDrain is { } under ? under : new LastDrain { StartedAt = command.At };
            updated = updated with
            {
                LastDrain = last with
                {
                    UpdatedAt = command.At,
                    Meta = command.Meta is { Count: > 0 } ? command.Meta : last.Meta,
                    Status = command.Drain is not null ? LastDrain.Draining : command.Completed ? LastDrain.Complete : LastDrain.Canceled,
                },
            };
        }

        Put(updated);
        return Upsert(command.Evaluations);
    }

    private string? Update(UpdateNodeEligibility command)
    {
        if (_state.Node(command.NodeID) is not { } node) return NotFound;
        if (command.Eligibility is not (NodeEligibility.Eligible or NodeEligibility.Ineligible)) return $"invalid scheduling eligibility {command.Eligibility}";
        if (node.DrainStrategy is not null && command.Eligibility == NodeEligibility.Eligible) return "can not set node's scheduling eligibility to eligible while it is draining";
        Put(WithEvent(node with { SchedulingEligibility = command.Eligibility, StatusUpdatedAt = command.At.ToUnixTimeSeconds() }, command.Event));
        return Upsert(command.Evaluations);
    }

    private void Put(Node node) => _state = _state with { Nodes = _state.Nodes.Put(node with { ModifyIndex = _index }, _index) };

    private Node WithEvent(Node node, NodeEvent? added) =>
        added is null ? node : node with { Events = [.. node.Events.Append(added with { CreateIndex = _index }).TakeLast(KeptEvents)] };
}
