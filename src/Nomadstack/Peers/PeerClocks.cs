// SPDX-License-Identifier: MPL-2.0
using System.Globalization;

namespace Nomadstack.Peers;

/// <summary>How the clocks of a cluster's nodes lie to each other, as this node sees it.</summary>
/// <param name="Own">How far this node's clock is from those of most others; null while it is not, or nobody can tell whose is wrong.</param>
/// <param name="Others">Nodes whose clocks are far from this node's, if this node's is not the wrong one.</param>
internal sealed record PeerClocks(TimeSpan? Own, IReadOnlyList<(string Name, TimeSpan By)> Others)
{
    /// <summary>As far as two clocks may be apart. Tokens and certificates count on it.</summary>
    public static readonly TimeSpan Most = JoinDesk.MaxClockSkew;

    private const int PeersToAsk = 5;

    /// <summary>Pure. A clock is wrong if more than half of all clocks, this one among them, agree that it is. With two nodes nobody can tell.</summary>
    /// <param name="offsets">By name: how much later the clocks of others are.</param>
    public static PeerClocks Judge(IReadOnlyDictionary<string, TimeSpan> offsets)
    {
        var far = offsets.Where(o => o.Value.Duration() > Most).OrderBy(o => o.Value).ToList();
        if (far.Count == 0) return new(null, []);
        // Those that are far from here and near to each other.
        var middle = far[far.Count / 2].Value;
        var agree = far.Count(o => (o.Value - middle).Duration() <= Most);
        return agree * 2 > offsets.Count + 1 ? new(-middle, []) : new(null, [.. far.Select(o => (o.Key, o.Value))]);
    }

    /// <summary>What is wrong in a sentence without its end; empty where nothing is.</summary>
    public string InWords() =>
        Own is { } own ? $"this node's clock is {Words(own)} those of most others"
        : string.Join("; ", Others.Select(o => $"the clock of {o.Name} is {Words(o.By)} this node's"));

    /// <summary><c>2.5 hours ahead of</c>.</summary>
    public static string Words(TimeSpan by)
    {
        var length = by.Duration();
        var (number, unit) = length.TotalDays >= 2 ? (length.TotalDays, "days") : length.TotalHours >= 2 ? (length.TotalHours, "hours") : (length.TotalMinutes, "minutes");
        return string.Create(CultureInfo.InvariantCulture, $"{number:0.#} {unit} {(by > TimeSpan.Zero ? "ahead of" : "behind")}");
    }

    /// <summary>Asks some nodes for their time, without trusting or being trusted: with a wrong clock no certificate is valid, here or there.</summary>
    public static async Task<PeerClocks> AskAsync(IEnumerable<NodeEntry> others, TimeProvider time, CancellationToken cancel)
    {
        var answers = await Task.WhenAll(others.Take(PeersToAsk).Select(async n => (n.Name, Clock: await PeerProbe.ClockAsync(new(n.Address, n.Ports.Peers), time, cancel))));
        Dictionary<string, TimeSpan> offsets = [];
        foreach (var (name, clock) in answers)
        {
            // Two nodes that joined within the same second may have one name.
            if (clock is { } theirs) offsets[name] = theirs - time.GetUtcNow();
        }

        return Judge(offsets);
    }
}
