// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Scheduling;

/// <summary>The numbers in the names of a group's allocations: which are taken, which come next, which go first.</summary>
internal sealed class NameIndex(string job, string group, int count, IEnumerable<Allocation> taken)
{
    private readonly SortedSet<int> _used = [.. taken.Select(a => a.Number)];

    /// <summary>Takes the <paramref name="number"/> lowest free names below the group's count; when those are used up, names that exist twice.</summary>
    public IReadOnlyList<string> Next(int number)
    {
        var next = Enumerable.Range(0, count).Where(i => !_used.Contains(i)).Take(number).ToList();
        _used.UnionWith(next);
        for (var i = 0; next.Count < number; i++) next.Add(i);
        return [.. next.Select(Name)];
    }

    /// <summary>Gives back the <paramref name="number"/> highest names.</summary>
    public IReadOnlySet<string> Highest(int number)
    {
        var highest = _used.Reverse().Take(number).ToList();
        _used.ExceptWith(highest);
        return highest.Select(Name).ToHashSet(StringComparer.Ordinal);
    }

    public void Free(int number) => _used.Remove(number);

    private string Name(int number) => Allocation.NameOf(job, group, number);
}
