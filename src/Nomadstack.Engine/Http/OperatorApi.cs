// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Nomadstack.Engine.Configuration;
using Nomadstack.Engine.Jobs;
using Nomadstack.Engine.Raft;
using Nomadstack.Engine.Scheduling;
using Nomadstack.Engine.Server;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Http;

/// <summary>What an operator does to the servers themselves.</summary>
internal static class OperatorApi
{
    public static async Task GarbageAsync(ApiCall call)
    {
        var reap = GarbageCollection.Force(call.State, call.Now);
        if (!GarbageCollection.IsEmpty(reap)) await call.ApplyAsync(reap);
        if (GarbageCollection.ExpiredTokens(call.State, call.Now) is { Count: > 0 } expired) await call.ApplyAsync(new DeleteAcl(expired, []));
        await call.NothingAsync();
    }

    public static Task RaftConfigurationAsync(ApiCall call)
    {
        var (status, members) = (call.Server.Raft.Node?.Status, call.Server.Members.All);
        var servers = (status?.Configuration ?? RaftConfiguration.Empty).Servers.Select(server => (JsonNode)new JsonObject
        {
            ["ID"] = server.Id,
            ["Node"] = members.FirstOrDefault(m => m.Member.ID == server.Id && m.Status != MemberStatus.Left)?.Member.Name ?? "(unknown)",
            ["Address"] = server.Address,
            ["Leader"] = server.Id == status?.Leader,
            ["Voter"] = server.Suffrage == Suffrage.Voter,
            ["RaftProtocol"] = "3",
        });
        return call.JsonAsync(new JsonObject { ["Index"] = 0, ["Servers"] = new JsonArray([.. servers]) });
    }

    public static async Task RemovePeerAsync(ApiCall call)
    {
        var (node, id, address) = (Leader(call), call.Query("id") ?? "", call.Query("address") ?? "");
        if (id.Length == 0 && address.Length == 0) throw ServerException.Invalid("Must specify either ?id with the server's ID or ?address with IP:port of peer to remove");
        if (id.Length > 0 && address.Length > 0) throw ServerException.Invalid("Must specify only one of ?id or ?address");
        var server = Find(node, id, address) ?? throw ServerException.Failed(id.Length > 0 ? $"id \"{id}\" was not found in the Raft configuration" : $"address \"{address}\" was not found in the Raft configuration");
        call.Server.Autopilot.Removed(server.Id);
        Check(await node.RemoveAsync(server.Id, call.Cancel));
        await call.NothingAsync();
    }

    public static async Task TransferLeadershipAsync(ApiCall call)
    {
        var (node, id, address) = (Leader(call), call.Query("id") ?? "", call.Query("address") ?? "");
        RaftServer? to = null;
        if (id.Length + address.Length > 0) to = Find(node, id, address) ?? throw ServerException.Invalid($"cannot transfer leadership: no server \"{id}{address}\" is in the Raft configuration");
        if (to?.Id != node.Id) Check(await node.TransferLeadershipAsync(to?.Id, call.Cancel));
        await call.NothingAsync();
    }

    public static async Task AutopilotConfigurationAsync(ApiCall call)
    {
        var state = await call.ReadAsync(s => s.AutopilotConfiguration?.ModifyIndex ?? 0);
        var json = Stubs.Of(call.Server.AutopilotSettings, AutopilotJson.Default.AutopilotSettings);
        json["CreateIndex"] = state.AutopilotConfiguration?.CreateIndex ?? 0;
        json["ModifyIndex"] = state.AutopilotConfiguration?.ModifyIndex ?? 0;
        await call.JsonAsync(json);
    }

    public static async Task SetAutopilotConfigurationAsync(ApiCall call)
    {
        AutopilotSettings settings;
        try
        {
            using var body = JsonDocument.Parse(call.RawBody);
            settings = AutopilotSettings.Read(body.RootElement);
        }
        catch (JsonException e)
        {
            throw ServerException.Invalid($"Error parsing autopilot config: {e.Message}");
        }

        long? onlyAt = null;
        if (call.Query("cas") is { Length: > 0 } cas)
            onlyAt = long.TryParse(cas, NumberStyles.None, CultureInfo.InvariantCulture, out var at) ? at : throw ServerException.Invalid($"Error parsing cas value: {cas}");
        var (taken, _) = await call.Server.Writer.TryApplyAsync(new SetAutopilotConfiguration(settings.ToElement(), onlyAt), call.Cancel);
        await call.JsonAsync(JsonValue.Create(taken));
    }

    public static Task AutopilotHealthAsync(ApiCall call)
    {
        var (servers, status) = (call.Server.Autopilot.Observe(), Leader(call).Status);
        var voters = servers.Count(s => s.Server.Suffrage == Suffrage.Voter);
        var healthy = servers.Count(s => s.Healthy && s.Server.Suffrage == Suffrage.Voter);
        var well = servers.Count > 0 && servers.All(s => s.Healthy);
        var list = servers.Select(s => (JsonNode)new JsonObject
        {
            ["ID"] = s.Server.Id,
            ["Name"] = s.Member?.Member.Name ?? "",
            ["Address"] = s.Server.Address,
            ["SerfStatus"] = s.Member?.Status ?? MemberStatus.Failed,
            ["Version"] = s.Member?.Member.Build ?? "",
            ["Leader"] = s.Leader,
            ["LastContact"] = s.Leader ? "0s" : s.Member?.Raft?.LastContact is { } contact ? GoDuration.Format(contact) : "never",
            ["LastTerm"] = s.Leader ? status.Term : s.Member?.Raft?.Term ?? 0,
            ["LastIndex"] = s.Leader ? status.Last : s.Member?.Raft?.LastIndex ?? 0,
            ["Healthy"] = s.Healthy,
            ["Voter"] = s.Server.Suffrage == Suffrage.Voter,
            ["StableSince"] = s.StableSince.UtcDateTime.ToString("O", CultureInfo.InvariantCulture),
        });
        return call.JsonAsync(
            new JsonObject
            {
                ["Healthy"] = well,
                ["FailureTolerance"] = Math.Max(0, healthy - (voters / 2 + 1)),
                ["Servers"] = new JsonArray([.. list]),
                ["Leader"] = status.Leader ?? "",
                ["Voters"] = new JsonArray([.. servers.Where(s => s.Server.Suffrage == Suffrage.Voter).Select(s => (JsonNode)JsonValue.Create(s.Server.Id))]),
            },
            well ? StatusCodes.Status200OK : StatusCodes.Status429TooManyRequests);
    }

    public static async Task SaveSnapshotAsync(ApiCall call)
    {
        if (call.Query("stale") is null) await call.Server.BarrierAsync(call.Cancel);
        var state = call.State;
        var (archive, digest) = SnapshotArchive.Write(call.Agent.Config.DataDir, state.Index, call.Server.Raft.Node?.Status, to => StateStore.Save(state, to), call.Now);
        await using var sent = archive;
        call.Http.Response.ContentType = "application/x-gzip";
        call.Http.Response.ContentLength = archive.Length;
        call.Http.Response.Headers["Digest"] = digest;
        await archive.CopyToAsync(call.Http.Response.Body, call.Cancel);
    }

    public static async Task RestoreSnapshotAsync(ApiCall call)
    {
        ReadOnlyMemory<byte> saved;
        try
        {
            saved = SnapshotArchive.Read(call.RawBody);
            // Refused here it costs a message; in the log it would stop every server.
            new StateStore().Restore(SnapshotArchive.Reader(saved));
        }
        catch (Exception e) when (e is InvalidDataException or JsonException or EndOfStreamException)
        {
            throw ServerException.Failed($"failed to restore from snapshot: {e.Message}");
        }

        await call.Server.Writer.RestoreAsync(saved, call.Cancel);
        await call.NothingAsync();
    }

    private static RaftNode Leader(ApiCall call) => call.Server.Raft.Node ?? throw new NotLeaderException();

    private static RaftServer? Find(RaftNode node, string id, string address) =>
        node.Status.Configuration.Servers.FirstOrDefault(s => id.Length > 0 ? s.Id == id : s.Address == address);

    private static void Check(RaftOutcome outcome)
    {
        switch (outcome)
        {
            case RaftOutcome.NotLeader:
                throw new NotLeaderException();
            case RaftOutcome.Refused refused:
                throw ServerException.Failed(refused.Why);
            case RaftOutcome.Unknown unknown:
                throw ServerException.Failed(unknown.Why);
        }
    }
}
