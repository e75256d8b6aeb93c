// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Health;

/// <summary>
/// Since when the servers of a product have had no leader, as far as this agent has looked: it looks by itself now and then, so that the first question somebody asks
/// is not the beginning. Elapsed time, not the clock's, which may be set meanwhile.
/// </summary>
/// <param name="changed">Told when the servers of a product have lost their leader, or have one again; not at the first look that finds one.</param>
internal sealed class LeaderSightings(TimeProvider time, Action<string, bool>? changed = null)
{
    /// <summary>Two rounds of the agent's own looks (<c>Maintenance</c>): what was seen longer ago says nothing about the time between.</summary>
    internal static readonly TimeSpan Fresh = TimeSpan.FromSeconds(30);

    private readonly Dictionary<string, long> _seen = [], _lost = [];
    private readonly Lock _lock = new();

    /// <summary>How long the one that lacks a leader longest has lacked it; null while all have one.</summary>
    public TimeSpan? LostFor
    {
        get
        {
            lock (_lock) return _lost.Count == 0 ? null : time.GetElapsedTime(_lost.Values.Min());
        }
    }

    /// <summary>What a look at the servers of a product found.</summary>
    public void Note(string role, bool leader)
    {
        var now = time.GetTimestamp();
        var news = false;
        lock (_lock)
        {
            if (leader)
            {
                _seen[role] = now;
                news = _lost.Remove(role);
            }
            else if (!_lost.ContainsKey(role))
            {
                news = true;
                _lost[role] = _seen.TryGetValue(role, out var seen) && time.GetElapsedTime(seen, now) <= Fresh ? seen : now;
            }
        }

        if (news) changed?.Invoke(role, leader);
    }
}
