// SPDX-License-Identifier: MPL-2.0
using System.Collections.Immutable;

namespace Nomadstack.Engine.State;

/// <summary>Rows by their key, with further indexes, in an order that is the same on every server. Immutable: a change yields a new table.</summary>
internal sealed class Table<TRow>
    where TRow : class
{
    private readonly Func<TRow, string> _key;
    private readonly ImmutableArray<Func<TRow, string>> _indexed;
    private readonly ImmutableSortedDictionary<string, TRow> _rows;
    private readonly ImmutableArray<ImmutableDictionary<string, ImmutableSortedSet<string>>> _indexes;

    /// <param name="indexed">Each may lead to several rows; an empty value to none.</param>
    public Table(Func<TRow, string> key, params ReadOnlySpan<Func<TRow, string>> indexed)
        : this(key, [.. indexed], ImmutableSortedDictionary.Create<string, TRow>(StringComparer.Ordinal), [.. Enumerable.Repeat(ImmutableDictionary.Create<string, ImmutableSortedSet<string>>(StringComparer.Ordinal), indexed.Length)], 0)
    {
    }

    private Table(Func<TRow, string> key, ImmutableArray<Func<TRow, string>> indexed, ImmutableSortedDictionary<string, TRow> rows, ImmutableArray<ImmutableDictionary<string, ImmutableSortedSet<string>>> indexes, long index)
    {
        _key = key;
        _indexed = indexed;
        _rows = rows;
        _indexes = indexes;
        Index = index;
    }

    /// <summary>The last change to any row.</summary>
    public long Index { get; }

    public int Count => _rows.Count;

    /// <summary>Ordered by key.</summary>
    public IEnumerable<TRow> All => _rows.Values;

    public TRow? Get(string key) => _rows.GetValueOrDefault(key);

    /// <summary>The rows that have <paramref name="value"/> in the index of that number, ordered by key.</summary>
    public IEnumerable<TRow> By(int index, string value) => _indexes[index].GetValueOrDefault(value, []).Select(key => _rows[key]);

    public Table<TRow> Put(TRow row, long index)
    {
        var key = _key(row);
        var old = _rows.GetValueOrDefault(key);
        var indexes = _indexes.ToBuilder();
        for (var i = 0; i < _indexed.Length; i++)
        {
            var value = _indexed[i](row);
            var before = old is null ? "" : _indexed[i](old);
            if (value == before) continue;
            indexes[i] = Add(Remove(indexes[i], before, key), value, key);
        }

        return new(_key, _indexed, _rows.SetItem(key, row), indexes.ToImmutable(), index);
    }

    public Table<TRow> Remove(string key, long index)
    {
        if (_rows.GetValueOrDefault(key) is not { } old) return this;
        var indexes = _indexes.ToBuilder();
        for (var i = 0; i < _indexed.Length; i++) indexes[i] = Remove(indexes[i], _indexed[i](old), key);
        return new(_key, _indexed, _rows.Remove(key), indexes.ToImmutable(), index);
    }

    /// <summary>The same rows, as if last changed at <paramref name="index"/>.</summary>
    public Table<TRow> At(long index) => new(_key, _indexed, _rows, _indexes, index);

    private static ImmutableDictionary<string, ImmutableSortedSet<string>> Add(ImmutableDictionary<string, ImmutableSortedSet<string>> index, string value, string key) =>
        value.Length == 0 ? index : index.SetItem(value, index.GetValueOrDefault(value, ImmutableSortedSet.Create<string>(StringComparer.Ordinal)).Add(key));

    private static ImmutableDictionary<string, ImmutableSortedSet<string>> Remove(ImmutableDictionary<string, ImmutableSortedSet<string>> index, string value, string key)
    {
        if (value.Length == 0 || !index.TryGetValue(value, out var keys)) return index;
        keys = keys.Remove(key);
        return keys.IsEmpty ? index.Remove(value) : index.SetItem(value, keys);
    }
}
