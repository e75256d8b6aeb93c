// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;

namespace Nomadstack.Peers;

/// <summary>What peers said that was not taken: counted, and told once for each peer and entry, since a peer says it again each second.</summary>
internal sealed class Refusals
{
    private const int Remembered = 4096;

    private readonly Lock _gate = new();
    private readonly HashSet<string> _told = [];
    private readonly Dictionary<string, long> _counts = [];

    /// <summary>Raised for what is new, on the thread that refused it. Handlers must be quick and must not throw.</summary>
    public event Action<Problem>? Told;

    /// <summary>Entries refused since this agent's start, by the node that sent them.</summary>
    public long Of(string sender)
    {
        lock (_gate) return _counts.GetValueOrDefault(sender);
    }

    public void Note(string senderId, string sender, IReadOnlyCollection<RefusedEntry> refused)
    {
        foreach (var entry in refused)
        {
            Tell(senderId, entry.Key + entry.Why, new Problem("peers/refused-entry", $"The entry of {entry.Name} that {sender} sent was not taken.",
                $"{entry.Key}: {entry.Why}.", "The rest of what it sent was taken. If both run the same release, that node or whoever gave it the entry is broken or lies: look at its agent, and remove it if in doubt."));
        }
    }

    /// <summary>One thing that went wrong with a peer and will again.</summary>
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
