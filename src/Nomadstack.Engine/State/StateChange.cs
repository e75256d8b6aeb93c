// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Engine.State;

/// <summary>One command on its way into the state: the snapshot that results, or a refusal. Deterministic; asks neither clock nor chance.</summary>
internal sealed partial class StateChange
{
    private readonly long _index;
    private StateSnapshot _state;

    private StateChange(StateSnapshot state, long index)
    {
        _state = state;
        _index = index;
    }

    public static (StateSnapshot State, Applied Result) Apply(StateSnapshot state, long index, Command command)
    {
        var change = new StateChange(state, index);
        var refusal = change.Do(command);
        return refusal is null
            ? (change._state with { Index = index }, new Applied.Done(index))
            : (state with { Index = index }, new Applied.Refused(refusal));
    }

    /// <summary>Why the command does not fit, or null. After a refusal the change is thrown away.</summary>
    private string? Do(Command command) => command switch
    {
        RegisterNode c => Register(c),
        DeregisterNodes c => Deregister(c),
        UpdateNodeStatus c => Update(c),
        UpdateNodeDrain c => Update(c),
        UpdateNodeEligibility c => Update(c),
        RegisterJob c => Register(c),
        DeregisterJob c => Deregister(c),
        SetJobStability c => SetStability(c.Key, c.Version, c.Stable),
        UpsertEvaluations c => Upsert(c.Evaluations),
        Reap c => ReapAll(c),
        ApplyPlan c => Apply(c),
        UpdateAllocations c => Update(c),
        UpdateDesiredTransitions c => Update(c),
        UpdateDeployment c => Update(c.Update) ?? Upsert(c.Evaluation),
        SetDeploymentHealth c => SetHealth(c),
        SetSchedulerConfiguration c => Set(c.Value, c.OnlyAt, _state.SchedulerConfiguration, setting => _state = _state with { SchedulerConfiguration = setting }),
        SetAutopilotConfiguration c => Set(c.Value, c.OnlyAt, _state.AutopilotConfiguration, setting => _state = _state with { AutopilotConfiguration = setting }),
        BootstrapAcl c => Bootstrap(c),
        UpsertAclToken c => Upsert(c.Token),
        UpsertAclPolicy c => Upsert(c.Policy),
        DeleteAcl c => Delete(c),
        _ => throw new InvalidOperationException($"a {command.GetType().Name} cannot be applied"),
    };

    private string? Set(System.Text.Json.JsonElement value, long? onlyAt, StoredSetting? existing, Action<StoredSetting> set)
    {
        if (onlyAt is { } at && at != (existing?.ModifyIndex ?? 0)) return $"the setting was changed at index {existing?.ModifyIndex ?? 0}, not {at}";
        set(new StoredSetting(value, existing?.CreateIndex ?? _index, _index));
        return null;
    }
}
