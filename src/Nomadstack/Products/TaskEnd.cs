// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Products;

/// <summary>Which task of which allocation a process belongs to, as the process itself carries it.</summary>
internal sealed record TaskMark(string Allocation, string Task);

/// <summary>How a job wants one of its tasks stopped.</summary>
/// <param name="Signal">The number of the signal that asks it to end.</param>
/// <param name="Timeout">How long it gets; zero for none.</param>
internal sealed record TaskEnd(string Task, int Signal, TimeSpan Timeout);
