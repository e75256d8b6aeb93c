// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Scheduling;

/// <summary>Counts, during one search for a node, why nodes were left out.</summary>
internal sealed class SelectionMetrics(IReadOnlyDictionary<string, int> available)
{
    private const int KeptScores = 5;

    private readonly SortedDictionary<string, int> _classFiltered = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, int> _constraintFiltered = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, int> _classExhausted = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, int> _dimensionExhausted = new(StringComparer.Ordinal);
    private readonly List<NodeScore> _scores = [];
    private int _exhausted;

    public int Evaluated { get; set; }

    public int Filtered { get; private set; }

    public void Filter(Node node, string why)
    {
        Filtered++;
        Count(_constraintFiltered, why);
        Count(_classFiltered, node.NodeClass);
    }

    public void Exhaust(Node node, string dimension)
    {
        _exhausted++;
        Count(_dimensionExhausted, dimension);
        Count(_classExhausted, node.NodeClass);
    }

    public void Score(NodeScore score) => _scores.Add(score);

    public AllocMetric ToRecord() => new()
    {
        NodesEvaluated = Evaluated,
        NodesFiltered = Filtered,
        NodesAvailable = available,
        ClassFiltered = NullIfEmpty(_classFiltered),
        ConstraintFiltered = NullIfEmpty(_constraintFiltered),
        NodesExhausted = _exhausted,
        ClassExhausted = NullIfEmpty(_classExhausted),
        DimensionExhausted = NullIfEmpty(_dimensionExhausted),
        ScoreMetaData = _scores.Count > 0 ? [.. _scores.OrderByDescending(s => s.NormScore).Take(KeptScores)] : null,
    };

    private static void Count(SortedDictionary<string, int> counts, string what)
    {
        if (what.Length > 0) counts[what] = counts.GetValueOrDefault(what) + 1;
    }

    private static SortedDictionary<string, int>? NullIfEmpty(SortedDictionary<string, int> counts) => counts.Count > 0 ? counts : null;
}
