// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Jobs;
using Shouldly;
using Xunit;

namespace Nomadstack.Engine.Tests.Jobs;

public sealed class ExamplesTests
{
    [Fact]
    public void ThereIsOneOfEachType() =>
        Examples.Names.Select(file => Job(file).Type).Order().ShouldBe(["batch", "service", "system"]);

    [Theory]
    [MemberData(nameof(Examples.Files), MemberType = typeof(Examples))]
    public void TheEmbeddedEngineTakesIt(string file) =>
        JobReader.Read(HclJob.Parse(Examples.Read(file)).ShouldBeOfType<HclReading.Read>().Job).ShouldBeOfType<JobReading.Read>();

    [Theory]
    [MemberData(nameof(Examples.Files), MemberType = typeof(Examples))]
    public void ItsFirstLinesSayHowToRunIt(string file) =>
        Examples.Read(file).ShouldContain($"#   nomadstack job run examples/{file}\n");

    private static Job Job(string file) => JobReader.Read(HclJob.Parse(Examples.Read(file)).ShouldBeOfType<HclReading.Read>().Job).ShouldBeOfType<JobReading.Read>().Job;
}
