// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Text.Json.Nodes;
using Nomadstack.Engine.Http.Filters;
using Nomadstack.Engine.Server;

namespace Nomadstack.Engine.Http.Calls;

/// <summary>What every list of Nomad's API does with its rows: a prefix, a filter, an order and pages.</summary>
internal static class Listing
{
    private const string NextToken = "X-Nomad-NextToken";

    /// <param name="rows">In the order of <paramref name="key"/>.</param>
    /// <param name="key">Where a page begins; the caller takes it as it is.</param>
    /// <param name="id">What <c>prefix</c> is about.</param>
    /// <param name="whole">All of a row, for the filter.</param>
    /// <param name="shown">What the list shows of it.</param>
    public static Task ListAsync<T>(this ApiCall call, IEnumerable<T> rows, Func<T, string> key, Func<T, string> id, Func<T, JsonObject> whole, Func<T, JsonNode> shown)
    {
        var (filter, size, reverse, from) = (FilterOf(call), PageSize(call), call.Flag("reverse"), call.Query("next_token") ?? "");
        if (call.Query("prefix") is { Length: > 0 } prefix) rows = rows.Where(r => id(r).StartsWith(prefix, StringComparison.Ordinal));
        if (reverse) rows = rows.Reverse();
        if (from.Length > 0) rows = rows.SkipWhile(r => string.CompareOrdinal(key(r), from) is var order && (reverse ? order > 0 : order < 0));
        var list = new JsonArray();
        foreach (var row in rows)
        {
            if (filter is not null && !Holds(filter, whole(row))) continue;
            if (size > 0 && list.Count == size)
            {
                call.Http.Response.Headers[NextToken] = key(row);
                break;
            }

            list.Add(shown(row));
        }

        return call.JsonAsync(list);
    }

    private static Filter? FilterOf(ApiCall call)
    {
        if (call.Query("filter") is not { Length: > 0 } text) return null;
        try
        {
            return FilterParser.Parse(text);
        }
        catch (FilterException e)
        {
            throw Refused(e);
        }
    }

    private static bool Holds(Filter filter, JsonObject row)
    {
        try
        {
            return filter.Holds(row);
        }
        catch (FilterException e)
        {
            throw Refused(e);
        }
    }

    private static int PageSize(ApiCall call) =>
        call.Query("per_page") is not { Length: > 0 } text ? 0
        : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var size) ? size
        : throw ServerException.Invalid($"per_page: \"{text}\" is not a number of rows");

    private static ServerException Refused(FilterException e) => ServerException.Invalid($"failed to read filter expression: {e.Message}");
}
