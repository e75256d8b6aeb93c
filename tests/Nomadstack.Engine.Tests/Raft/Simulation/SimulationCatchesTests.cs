// SPDX-License-Identifier: MPL-2.0
using Xunit;
using Xunit.Abstractions;

namespace Nomadstack.Engine.Tests.Raft.Simulation;

/// <summary>The simulation has teeth: each mistake is noticed within a few hundred seeds.</summary>
public sealed class SimulationCatchesTests(ITestOutputHelper output)
{
    private const int Seeds = 300;

    [Theory]
    [InlineData(Mutation.AcknowledgesBeforeFsync)]
    [InlineData(Mutation.DiskLies)]
    // Two leaders of one term need much to come together, and a storm.
    [InlineData(Mutation.ForgetsItsVote, true)]
    [InlineData(Mutation.VotesForAnyLog)]
    [InlineData(Mutation.CommitsEarlierTermsByCounting)]
    [InlineData(Mutation.AppliesTwice)]
    [InlineData(Mutation.ReadsWithoutRound)]
    [InlineData(Mutation.ForgetsToSyncTheFolder)]
    [InlineData(Mutation.CompactsBeforeTheSnapshotIsDurable)]
    public void TheSimulationCatches(Mutation mutation, bool storm = false)
    {
        for (var seed = 1; seed <= Seeds; seed++)
        {
            try
            {
                SimScenario.Run(seed, mutation, storm);
            }
            catch (Exception e)
            {
                // However it shows: a check, an assertion of the product's own, or a log that cannot be opened.
                output.WriteLine($"{mutation}: seed {seed}: {e.Message.Split('\n')[0]}");
                return;
            }
        }

        Assert.Fail($"{mutation} went unnoticed through {Seeds} seeds.");
    }
}
