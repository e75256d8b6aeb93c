// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;

namespace Nomadstack.Peers;

/// <summary>Counts what peers sent and this node refused. Reports it once for each peer and entry, since a peer sends it again each second.</summary>
internal sealed class Refusals
{
    private const int Remembered = 4096;

    private readonly Lock _gate = new();
    private readonly HashSet<string> _told = [];
    private readonly Dictionary<string, long> _counts = [];

    /// <summary>Raised for each new refusal, on the thread that refused. Handlers must be quick and must not throw.</summary>
    public event Action<Problem>? Told;

    /// <summary>How many entries of this sender were refused since the agent's start.</summary>
    public long Of(string sender)
    {
        lock (_gate) return _counts.GetValueOrDefault(sender);
    }

    public void Note(string senderId, string sender, IReadOnlyCollection<RefusedEntry> refused)
    {
        foreach (var entry in refused)
        {
            Tell(senderId, entry.Key + entry.Why, PeerProblems.RefusedEntry(entry, sender));
        }
    }

    /// <summary>Reports something that failed with a peer and will fail again.</summary>
    public void Tell(string senderId, string what, Problem problem)
    {
        lock (_gate)
        {
            _counts[senderId] = _counts.GetValueOrDefault(senderId) + 1;
            if (_told.Count >= Remembered) _told.Clear();
            if (!_told.Add(senderId + " " + what)) return;
        }

        Told?.Invoke(problem);
    }
}
