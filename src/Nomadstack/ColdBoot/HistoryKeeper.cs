// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging;
using Nomadstack.Products;

namespace Nomadstack.ColdBoot;

/// <summary>
/// While this node's client runs: remembers the cluster's history and what runs here, and writes the next mark where it is this node's turn. A client that waits at the
/// gate keeps its agent from writing: a history that this node does not share is not its to go on with.
/// </summary>
/// <param name="leadsHere">Whether this node's own server leads: its agent writes the marks. Another does when a mark is overdue.</param>
internal sealed class HistoryKeeper(NodeContext context, ISchedulerProduct scheduler, Gatekeeper gate, Func<CancellationToken, Task<IScheduler?>> anyServer, Func<bool> clientRuns, Func<CancellationToken, Task<bool>> leadsHere)
{
    private static readonly TimeSpan s_between = TimeSpan.FromMinutes(1), s_look = TimeSpan.FromSeconds(2), s_callDeadline = TimeSpan.FromSeconds(5);

    /// <summary>What runs here is asked for when the folders of allocations changed, and this often at least (rounds).</summary>
    private const int RoundsBetweenAsking = 5;

    /// <summary>Rounds without a new mark after which any node with a server writes it.</summary>
    private const int Overdue = 3;

    private readonly ILogger _log = context.Logs.CreateLogger<HistoryKeeper>();
    private string _folders = "";

    /// <summary>What the servers said last of this node's allocations; it may be minutes old.</summary>
    public IReadOnlyList<NodeAllocation> Known { get; private set; } = [];

    private int _round, _stale, _foreign;
    private long? _markedAt;

    /// <summary>One round and the wait for the next, which something placed here or ended here cuts short: what runs when the power goes is to be remembered.</summary>
    public async Task RoundAndWaitAsync(CancellationToken cancel)
    {
        var (done, began) = (await RoundAsync(cancel), context.Time.GetTimestamp());
        do await Task.Delay(s_look, context.Time, cancel);
        while (done && context.Time.GetElapsedTime(began) < s_between && Folders() == _folders);
    }

    /// <returns>False when there was nobody to ask.</returns>
    public async Task<bool> RoundAsync(CancellationToken cancel)
    {
        if (!clientRuns() || await anyServer(cancel) is not { } api) return false;
        if (!(await api.ReadNoteAsync(s_callDeadline, cancel)).Try(out var note)) return false;
        var (remembered, held) = (History.Parse(gate.Memory.Marks), History.Parse(note.Text));
        var past = History.Compare(remembered, held);
        if (past == Past.Lost && held.Marks.Count > 0 && !HasLasted()) return true;
        if (past != Past.Lost) _foreign = 0;
        var due = _markedAt is not { } at || context.Time.GetElapsedTime(at) >= s_between;
        if (due) _stale = past == Past.Same ? _stale + 1 : 0;
        // An operator who purged the job took no state away: this node has kept the history.
        var basis = past == Past.Lost && held.Marks.Count == 0 ? remembered : held;
        var next = basis;
        // A client node reads the history, and is not believed to write it.
        if (due && !context.Trust.IsGiven && (await leadsHere(cancel) || _stale >= Overdue))
        {
            _markedAt = context.Time.GetTimestamp();
            next = basis.With(Convert.ToHexStringLower(System.Security.Cryptography.RandomNumberGenerator.GetBytes(2)));
            if (await api.WriteNoteAsync(note with { Text = next.Render() }, s_callDeadline, cancel) is not JobRegistration.Registered) next = basis;
        }

        await RememberAsync(api, next, cancel);
        return true;
    }

    /// <summary>
    /// Whether the servers have had another history for two rounds while this node's client ran: then it has long done what they say, and nothing is left to protect.
    /// </summary>
    private bool HasLasted()
    {
        if (_foreign++ > 1) return true;
        if (_foreign == 1) _log.LogWarning("The servers have another history than this node remembers: their state was restored or rolled back while this node's client ran");
        return false;
    }

    private async Task RememberAsync(IScheduler api, History history, CancellationToken cancel)
    {
        var folders = Folders();
        IReadOnlyList<NodeAllocation>? live = null;
        var id = gate.Memory.NodeId;
        if (id.Length == 0 || _round % RoundsBetweenAsking == 0)
            id = scheduler.Client(context.Endpoints.OfClient(scheduler.Row, context.Node)) is { } client && await client.NodeIdAsync(s_callDeadline, cancel) is { Length: > 0 } told ? told : id;
        if (id.Length > 0 && (folders != _folders || _round % RoundsBetweenAsking == 0) && (await api.AllocationsOnAsync(id, s_callDeadline, cancel)).Try(out var all))
        {
            Known = all;
            live = [.. all.Where(a => a.Live).DistinctBy(a => a.Id).OrderBy(a => a.Id, StringComparer.Ordinal)];
            _folders = folders;
        }

        _round++;
        var index = await HighestIndexAsync(cancel);
        gate.Remember(before =>
        {
            var isNew = live is not null && (!live.Select(a => a.Id).SequenceEqual(before.Allocations) || before.Names.Count != live.Count);
            return before with
            {
                Index = Math.Max(index, before.Index),
                Registered = true,
                NodeId = id,
                Marks = history.Render(),
                Allocations = isNew ? [.. live!.Select(a => a.Id)] : before.Allocations,
                Names = isNew ? live!.ToDictionary(a => a.Id, a => a.Name) : before.Names,
                LookedAt = context.Time.GetUtcNow(),
            };
        });
    }

    private string Folders() => string.Join(',', scheduler.AllocationsOnDisk().Order(StringComparer.Ordinal));

    /// <summary>By this node's own server: asking another's would cost a question a minute and node, and the marks say the same.</summary>
    private async Task<long> HighestIndexAsync(CancellationToken cancel)
    {
        var own = KnownServer.Of(context.Membership.Current, scheduler.Row.Name).FirstOrDefault(s => s.NodeId == context.Node.Id && s.IsClaimed);
        return own is not null && await scheduler.Server(context.Endpoints.Of(scheduler.Row, own)).StandingAsync(cancel) is { HasLeader: true } standing ? standing.AppliedIndex : 0;
    }
}
