// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging;
using Nomadstack.Cluster;
using Nomadstack.Products;
using Nomadstack.Timeline;

namespace Nomadstack.Clients;

/// <summary>
/// Compares what the leader says of this node's client with what this node knows: a client that runs and is not ready for long is mended. The leader may refuse it (its identity
/// expired, its clock is wrong) or hear nothing of it (a connection that only one end believes in), and the process shows neither.
/// </summary>
internal sealed class ClientCure(NodeContext context, NodeClients clients, Func<CancellationToken, Task<IScheduler?>> anyServer)
{
    private static readonly TimeSpan s_between = TimeSpan.FromSeconds(30), s_callDeadline = TimeSpan.FromSeconds(5);

    private readonly ILogger _log = context.Logs.CreateLogger<ClientCure>();
    private long? _since, _triedAt;
    private int _tried;

    /// <summary>The wait and one look.</summary>
    public async Task RoundAsync(CancellationToken cancel)
    {
        await Task.Delay(s_between, context.Time, cancel);
        await LookAsync(cancel);
    }

    internal async Task LookAsync(CancellationToken cancel)
    {
        var client = clients.Scheduler;
        // One that was stopped here and could not be started is started on.
        if (!client.Runs && _tried > 0) await client.EnableAsync();
        if (!client.Runs || await anyServer(cancel) is not { } api || !(await api.NodesAsync(s_callDeadline, cancel)).Try(out var nodes))
        {
            // Only what a leader says all the while counts.
            _since = null;
            return;
        }

        var own = nodes.Where(n => n.Name == context.Node.Name).MaxBy(n => n.ModifyIndex);
        if (own is { ClientState: "ready" or "starting" })
        {
            if (_tried > 0) _log.LogInformation("The {Product} client of this node is ready again", client.Product.Title);
            (_since, _triedAt, _tried) = (null, null, 0);
            return;
        }

        _since ??= context.Time.GetTimestamp();
        var lasted = context.Time.GetElapsedTime(_since.Value);
        var cure = CureDecision.Next(lasted, _tried, _triedAt is { } at ? context.Time.GetElapsedTime(at) : lasted);
        if (cure == Cure.Nothing) return;
        (_tried, _triedAt) = (_tried + 1, context.Time.GetTimestamp());
        _log.LogWarning("The {Product} client of this node runs, but the leader has called it {State} for {Seconds} s. It is {Cure}; its tasks run on", client.Product.Title, own?.Status ?? "unknown", (int)lasted.TotalSeconds, cure == Cure.Reload ? "told to register again" : "restarted");
        context.Timeline.Tell(
            EventKinds.ClientCured,
            $"The leader has called this node's {client.Product.Title} client {own?.Status ?? "unknown"} for {(int)lasted.TotalSeconds} s. "
            + (cure == Cure.Reload ? "It is told to register again." : "It is restarted."),
            (EventFields.Role, client.Product.Name));
        await Fault.AroundAsync("cure-client", () => cure == Cure.Reload ? client.ReloadAsync(cancel) : client.RestartAsync(cancel));
    }
}
