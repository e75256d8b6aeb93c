// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Api;

/// <param name="What"><c>power-cut</c>, <c>lost-quorum</c> or <c>restore</c>.</param>
internal sealed record DrillRequest(string What);

/// <summary>What a rehearsal found. <c>nomadstack drill … --json</c> prints it.</summary>
/// <param name="Passed">Nothing was lost.</param>
internal sealed record DrillReport(int Schema, string What, bool Passed, IReadOnlyList<DrilledProduct> Products)
{
    public const int CurrentSchema = 1;
}

/// <param name="Servers">How many throw-away servers took part.</param>
/// <param name="SnapshotBytes">Length of the state that was rehearsed with.</param>
/// <param name="LeaderSeconds">From the start of the servers that came back until one of them led and had written.</param>
internal sealed record DrilledProduct(string Product, int Servers, long SnapshotBytes, double LeaderSeconds, IReadOnlyList<DrillStep> Steps, IReadOnlyList<DrillCount> Counts);

internal sealed record DrillStep(string Step, double Seconds);

/// <param name="Kind"><c>index</c>, or what was counted: <c>jobs</c>.</param>
/// <param name="Lost">There is less than there was.</param>
internal sealed record DrillCount(string Kind, long Before, long After, bool Lost);
