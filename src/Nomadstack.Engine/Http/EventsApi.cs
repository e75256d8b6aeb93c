// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using Microsoft.AspNetCore.Http;
using Nomadstack.Engine.Acl;
using Nomadstack.Engine.Server;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Http;

/// <summary>
/// The stream of changes, an object a line, of this server's own state. It begins with what there is that was changed at the index asked for or later, since no
/// history is kept; without an index it begins now. A reader that falls too far behind is cut off, as Nomad cuts it off.
/// </summary>
internal static class EventsApi
{
    private static readonly TimeSpan s_heartbeat = TimeSpan.FromSeconds(10);

    /// <summary>Changes that wait for a slow reader; Nomad keeps as many (<c>event_buffer_size</c>).</summary>
    private const int Backlog = 100;

    public static async Task StreamAsync(ApiCall call)
    {
        var (topics, from, state) = (Topics(call), From(call), call.Server.State);
        if (!May(call, topics))
        {
            // As Nomad since 1.11: answered, and nothing comes.
            call.Http.Response.ContentType = "application/json";
            return;
        }

        var changes = Channel.CreateBounded<(string? Type, StateSnapshot State)>(Backlog);
        state.Applied += Add;
        state.Replaced += End;
        try
        {
            call.Http.Response.ContentType = "application/json";
            call.Http.Response.Headers.CacheControl = "no-cache";
            var before = state.Current;
            if (from > 0)
                foreach (var index in EventRows.Indexes(before, from)) await WriteAsync(call, index, EventRows.At(before, index, null), topics);
            // That it begins tells who listens that he may.
            await LineAsync(call, []);
            while (true)
            {
                using var quiet = new CancellationTokenSource(s_heartbeat, call.Agent.Time);
                using var either = CancellationTokenSource.CreateLinkedTokenSource(quiet.Token, call.Cancel);
                try
                {
                    var (type, now) = await changes.Reader.ReadAsync(either.Token);
                    if (now.Index <= before.Index) continue;
                    if (!await StillMayAsync(call, topics)) return;
                    if (type is not null) await WriteAsync(call, now.Index, EventRows.At(now, now.Index, type).Concat(EventRows.Gone(before, now, type)), topics);
                    before = now;
                }
                catch (ChannelClosedException)
                {
                    return;
                }
                catch (OperationCanceledException) when (!call.Cancel.IsCancellationRequested)
                {
                    if (!await StillMayAsync(call, topics)) return;
                    await LineAsync(call, []);
                }
            }
        }
        finally
        {
            state.Applied -= Add;
            state.Replaced -= End;
        }

        void Add(Command command, StateSnapshot now)
        {
            if (!changes.Writer.TryWrite((EventRows.TypeOf(command), now))) End();
        }

        void End() => changes.Writer.TryComplete();
    }

    /// <summary>Everything is for management; a topic alone is for whoever may read its rows.</summary>
    private static bool May(ApiCall call, List<(string Topic, string Key)> topics) =>
        call.Holder.Grants is var grants && (grants.IsManagement || (!call.Http.Request.Query["topic"].OfType<string>().DefaultIfEmpty("*").Any(t => t.StartsWith('*'))
            && topics.All(t => t.Topic == "Node" ? grants.Node(Level.Read) : grants.In(call.Namespace == "*" ? "default" : call.Namespace, Capability.ReadJob))));

    /// <summary>A stream ends with the token or the policy that it began with.</summary>
    private static async Task<bool> StillMayAsync(ApiCall call, List<(string Topic, string Key)> topics)
    {
        try
        {
            await call.AuthorizeAsync();
            return May(call, topics);
        }
        catch (ServerException)
        {
            // The token is gone; there is nobody to tell but by the end.
            return false;
        }
    }

    private static async Task WriteAsync(ApiCall call, long index, IEnumerable<StateEvent> events, List<(string Topic, string Key)> topics)
    {
        var wanted = events.Where(e => (e.Namespace.Length == 0 || call.Wants(e.Namespace))
            && topics.Any(t => t.Topic == e.Topic && (t.Key == "*" || t.Key == e.Key || e.FilterKeys.Contains(t.Key))));
        var list = new JsonArray([.. wanted.Select(e => (JsonNode)new JsonObject
        {
            ["Topic"] = e.Topic,
            ["Type"] = e.Type,
            ["Key"] = e.Key,
            ["Namespace"] = e.Namespace,
            ["FilterKeys"] = e.FilterKeys.Count > 0 ? new JsonArray([.. e.FilterKeys.Select(k => (JsonNode)JsonValue.Create(k))]) : null,
            ["Index"] = index,
            ["Payload"] = new JsonObject { [e.Topic] = e.Row },
        })]);
        if (list.Count > 0) await LineAsync(call, new JsonObject { ["Index"] = index, ["Events"] = list });
    }

    private static async Task LineAsync(ApiCall call, JsonObject line)
    {
        await call.Http.Response.WriteAsync(line.ToJsonString() + "\n", call.Cancel);
        await call.Http.Response.Body.FlushAsync(call.Cancel);
    }

    private static List<(string Topic, string Key)> Topics(ApiCall call)
    {
        var topics = new List<(string, string)>();
        foreach (var asked in call.Http.Request.Query["topic"].OfType<string>().DefaultIfEmpty("*"))
        {
            var colon = asked.IndexOf(':', StringComparison.Ordinal);
            var (topic, key) = colon < 0 ? (asked, "*") : (asked[..colon], asked[(colon + 1)..]);
            if (key.Length == 0) throw ServerException.Invalid($"Invalid topic query: \"{asked}\" has no key");
            if (topic == "*") topics.AddRange(EventRows.Topics.Select(t => (t, key)));
            else if (EventRows.Topics.Contains(topic)) topics.Add((topic, key));
            else throw ServerException.Invalid($"Invalid topic query: the embedded engine has no topic \"{topic}\", only {string.Join(", ", EventRows.Topics)}");
        }

        return topics;
    }

    private static long From(ApiCall call) =>
        call.Query("index") is not { Length: > 0 } text ? 0
        : long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var index) ? index
        : throw ServerException.Invalid($"Unable to parse index: \"{text}\"");
}
