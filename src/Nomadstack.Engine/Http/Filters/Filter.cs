// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Nomadstack.Engine.Http.Filters;

/// <summary>What a row must be to be listed.</summary>
internal abstract record Filter
{
    private Filter() { }

    /// <exception cref="FilterException">The row has no such field.</exception>
    public abstract bool Holds(JsonObject row);

    internal sealed record Both(Filter Left, Filter Right) : Filter
    {
        public override bool Holds(JsonObject row) => Left.Holds(row) && Right.Holds(row);
    }

    internal sealed record Either(Filter Left, Filter Right) : Filter
    {
        public override bool Holds(JsonObject row) => Left.Holds(row) || Right.Holds(row);
    }

    internal sealed record Negated(Filter Inner) : Filter
    {
        public override bool Holds(JsonObject row) => !Inner.Holds(row);
    }

    internal sealed record Same(IReadOnlyList<string> Name, string Value) : Filter
    {
        public override bool Holds(JsonObject row) => Find(row, Name) is { } found && Text(found) == Value;
    }

    /// <summary>A list has it, a map has it as a key, a text has it as a part.</summary>
    internal sealed record Contains(IReadOnlyList<string> Name, string Value) : Filter
    {
        public override bool Holds(JsonObject row) => Find(row, Name) switch
        {
            JsonArray list => list.Any(item => item is not null && Text(item) == Value),
            JsonObject map => map.ContainsKey(Value),
            { } single => Text(single).Contains(Value, StringComparison.Ordinal),
            null => false,
        };
    }

    internal sealed record Matches(IReadOnlyList<string> Name, Regex Pattern) : Filter
    {
        public override bool Holds(JsonObject row) => Find(row, Name) is { } found && Pattern.IsMatch(Text(found));
    }

    internal sealed record Empty(IReadOnlyList<string> Name) : Filter
    {
        public override bool Holds(JsonObject row) => Find(row, Name) switch
        {
            null => true,
            JsonArray list => list.Count == 0,
            JsonObject map => map.Count == 0,
            { } single => Text(single).Length == 0,
        };
    }

    /// <summary>Null where a map has no such key, or a block is not there; a name that no row has is a mistake.</summary>
    private static JsonNode? Find(JsonObject row, IReadOnlyList<string> name)
    {
        if (!row.ContainsKey(name[0])) throw new FilterException($"there is no field \"{name[0]}\"");
        JsonNode? at = row;
        foreach (var step in name)
        {
            at = at switch
            {
                JsonObject map => map[step],
                null => null,
                _ => throw new FilterException($"\"{string.Join('.', name)}\" leads into a value that has no fields"),
            };
        }

        return at;
    }

    private static string Text(JsonNode node) => node.GetValueKind() == JsonValueKind.String ? node.GetValue<string>() : node.ToJsonString();
}
