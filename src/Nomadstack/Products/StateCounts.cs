// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Products;

/// <summary>How much a product's state contains.</summary>
/// <param name="Index">The highest index of what was counted: a snapshot that is made later has at least this one.</param>
/// <param name="Counts">By kind, such as <c>jobs</c>.</param>
internal sealed record StateCounts(long Index, IReadOnlyDictionary<string, long> Counts);

/// <summary>What a snapshot says of itself.</summary>
/// <param name="Index">Raft's index of the last entry in it.</param>
internal sealed record SnapshotFacts(long Index, long Term);
