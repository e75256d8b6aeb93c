// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Engine.Jobs;

/// <summary>Makes a job a template: it runs nothing itself, and each dispatch makes a job of it, with metadata of its own.</summary>
internal sealed record ParameterizedJob
{
    public const string Optional = "optional", Required = "required", Forbidden = "forbidden";

    public string Payload { get; init; } = Optional;
    public IReadOnlyList<string>? MetaRequired { get; init; }
    public IReadOnlyList<string>? MetaOptional { get; init; }

    /// <summary>Why a dispatch does not fit, in Nomad's words; null when it does.</summary>
    /// <param name="meta">The names that come with it.</param>
    public string? Refuses(bool payload, IEnumerable<string> meta)
    {
        var (required, given) = (MetaRequired ?? [], meta.Order(StringComparer.Ordinal).ToList());
        if (payload) return Payload == Forbidden ? "Payload provided but forbidden by parameterized job" : "the embedded engine does not pass payloads to tasks; use metadata";
        var unpermitted = given.Except(required).Except(MetaOptional ?? []).ToList();
        if (unpermitted.Count > 0) return $"Dispatch request included unpermitted metadata keys: [{string.Join(' ', unpermitted)}]";
        var missing = required.Except(given).ToList();
        return missing.Count > 0 ? $"Dispatch did not provide required meta keys: [{string.Join(' ', missing)}]" : null;
    }
}
