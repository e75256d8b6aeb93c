// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Engine.State;

internal sealed partial class StateChange
{
    private string? Bootstrap(BootstrapAcl command)
    {
        if (_state.AclBootstrapIndex != command.ResetIndex) return "ACL bootstrap already done";
        if (_state.TokenOf(command.Token.SecretID) is not null) return "the token is there already";
        Put(command.Token);
        _state = _state with { AclBootstrapIndex = _index };
        return null;
    }

    private string? Upsert(AclToken token)
    {
        if (_state.TokenOf(token.SecretID) is { } other && other.AccessorID != token.AccessorID) return "another token has this secret";
        Put(token);
        return null;
    }

    private string? Upsert(AclPolicy policy)
    {
        _state = _state with { AclPolicies = _state.AclPolicies.Put(policy with { CreateIndex = _state.AclPolicies.Get(policy.Name)?.CreateIndex ?? _index, ModifyIndex = _index }, _index) };
        return null;
    }

    private string? Delete(DeleteAcl command)
    {
        foreach (var id in command.AccessorIDs) _state = _state with { AclTokens = _state.AclTokens.Remove(id, _index) };
        foreach (var name in command.Policies) _state = _state with { AclPolicies = _state.AclPolicies.Remove(name, _index) };
        return null;
    }

    private void Put(AclToken token) =>
        _state = _state with { AclTokens = _state.AclTokens.Put(token with { CreateIndex = _state.AclTokens.Get(token.AccessorID)?.CreateIndex ?? _index, ModifyIndex = _index }, _index) };
}
