// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Engine.Tests.Raft.Simulation;

/// <summary>Something that must never happen has happened.</summary>
internal sealed class ViolationException(string message) : Exception(message);

/// <summary>
/// What clients asked and were told, and whether one order explains it all. Writes append unique values to one list and reads see a prefix of it,
/// so that each operation shows its place in the order by itself and the check is exact without a search.
/// </summary>
internal sealed class History
{
    private readonly List<Operation> _operations = [];

    public Operation Begin(bool isWrite, TimeSpan now)
    {
        var operation = new Operation(_operations.Count, isWrite, now);
        _operations.Add(operation);
        return operation;
    }

    public int Acknowledged => _operations.Count(o => o.Version is not null);

    public int Asked => _operations.Count;

    /// <param name="final">The list as it is in the end.</param>
    public void Check(ListMachine final)
    {
        var places = new Dictionary<long, int>();
        for (var i = 0; i < final.Count; i++)
            Require(places.TryAdd(final.Values[i], i), $"value {final.Values[i]} was applied twice");
        foreach (var operation in _operations)
        {
            if (operation.IsWrite) CheckWrite(operation, places);
            else if (operation.Version is { } seen) Require(seen <= final.Count && final.HashOf(seen) == operation.Hash, $"{operation} saw what is not the beginning of the list");
        }

        CheckRealTime();
    }

    private static void CheckWrite(Operation write, Dictionary<long, int> places)
    {
        var place = places.TryGetValue(write.Id, out var found) ? found : -1;
        if (write.Version is { } version) Require(place == version - 1, $"{write} was acknowledged and is at place {place}");
        if (write.Refused) Require(place < 0, $"{write} was refused and is at place {place}");
        if (place >= 0) write.EffectiveVersion = place + 1;
    }

    /// <summary>What began after another had ended comes behind it.</summary>
    private void CheckRealTime()
    {
        var newest = 0;
        var events = _operations.Where(o => o.EffectiveVersion is not null).SelectMany(o => new[] { (At: o.Invoked, IsEnd: false, Operation: o), (At: o.Completed ?? TimeSpan.MaxValue, IsEnd: true, Operation: o) });
        // Of two events at the same time the beginning counts as the earlier one: they overlap.
        foreach (var (_, isEnd, operation) in events.OrderBy(e => e.At).ThenBy(e => e.IsEnd))
        {
            var version = operation.EffectiveVersion!.Value;
            if (isEnd && operation.Version is not null) newest = Math.Max(newest, version);
            else if (!isEnd) Require(operation.IsWrite ? version > newest : version >= newest, $"{operation} comes before version {newest}, which had been seen when it began");
        }
    }

    private static void Require(bool holds, string violation)
    {
        if (!holds) throw new ViolationException($"not linearizable: {violation}");
    }

    internal sealed class Operation(long id, bool isWrite, TimeSpan invoked)
    {
        public long Id { get; } = id;

        public bool IsWrite { get; } = isWrite;

        public TimeSpan Invoked { get; } = invoked;

        public TimeSpan? Completed { get; private set; }

        /// <summary>Length of the list that a read saw, or that a write made; null when nobody was told.</summary>
        public int? Version { get; private set; }

        /// <summary>The same, also for a write that took effect without an answer.</summary>
        public int? EffectiveVersion { get; set; }

        public ulong Hash { get; private set; }

        /// <summary>Certainly without effect.</summary>
        public bool Refused { get; private set; }

        public void Complete(int version, ulong hash, TimeSpan now) => (Version, EffectiveVersion, Hash, Completed) = (version, version, hash, now);

        public void Refuse() => Refused = true;

        public override string ToString() => $"{(IsWrite ? "write" : "read")} {Id} of {Invoked.TotalSeconds:f4} to {Completed?.TotalSeconds:f4}, version {Version}";
    }
}
