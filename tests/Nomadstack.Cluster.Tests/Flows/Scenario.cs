// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using Nomadstack.Cluster.Tests.Engines;
using Nomadstack.Cluster.Tests.Machines;
using Nomadstack.Cluster.Tests.Stack;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Nomadstack.Cluster.Tests.Flows;

/// <summary>What every scenario needs: the real engines and a lab, or a loud skip that says what is missing; and a way to tell what it measures.</summary>
public abstract class Scenario(ITestOutputHelper output)
{
    /// <summary>Nodes that run our own engine: they need nothing that is not in the program under test.</summary>
    private protected const string Embedded = "embedded";

    /// <summary>Nodes that run HashiCorp's engine, and Consul beside it.</summary>
    private protected const string Nomad = "nomad";

    private protected static async Task<TestCluster> MachinesAsync(int nodes, bool consul = true)
    {
        await NeedsAsync(consul);
        return await TestCluster.CreateAsync(nodes, consul);
    }

    private protected static async Task<TestCluster> MachinesWithAsync(string engine, int nodes, bool secure = false)
    {
        if (engine == Nomad)
        {
            await NeedsAsync();
            return await TestCluster.CreateAsync(nodes, secure: secure);
        }

        Skip.If(await Lab.WhyNotAsync() is not null, await Lab.WhyNotAsync());
        return await TestCluster.CreateAsync(nodes, consul: false, engine, secure);
    }

    /// <summary>Whether everything is run, however long it takes: before an issue is resolved, not at every change.</summary>
    private static bool IsLong => Environment.GetEnvironmentVariable("NOMADSTACK_TEST_LONG") == "1";

    /// <summary>Skips what has a shorter sister on the embedded engine.</summary>
    private protected static void OnlyInLongRuns() => Skip.IfNot(IsLong, "takes minutes on HashiCorp's engine, and runs on the embedded one every day: NOMADSTACK_TEST_LONG=1 runs it here as well");

    /// <summary>Skips the embedded engine where HashiCorp's, the reference, runs the same flow.</summary>
    private protected static async Task NotTwiceEveryDayAsync(string engine) =>
        Skip.If(engine == Embedded && !IsLong && (await RealEngines.FindAsync()).Nomad is not null, "HashiCorp's engine runs the same flow here: NOMADSTACK_TEST_LONG=1 runs both");

    private protected static async Task NeedsAsync(bool consul = true)
    {
        Skip.If(await Lab.WhyNotAsync() is { } noLab, await Lab.WhyNotAsync());
        var engines = await RealEngines.FindAsync();
        Skip.If(engines.Nomad is null, $"needs the real Nomad: {engines.NoNomad}");
        Skip.If(consul && engines.Consul is null, $"needs the real Consul: {engines.NoConsul}");
    }

    /// <summary>What the agent says when it ends by itself, or else what bootstrap says when it fails.</summary>
    private protected static async Task<string> RefusalAsync(TestCluster cluster, LabNode node, string? bind = null, string? path = null, IReadOnlyList<string>? more = null)
    {
        var agent = cluster.StartAgent(node, bind: bind, path: path, more: more);
        try
        {
            await cluster.AgentAnswersAsync(node);
        }
        catch (AgentDiedException)
        {
            agent.ExitCode.ShouldBeOneOf(1, 4);
            return agent.Text;
        }

        var bootstrap = await TestCluster.RunAsync(node, TimeSpan.FromSeconds(60), "bootstrap");
        bootstrap.ExitCode.ShouldBeOneOf(1, 4);
        await agent.KillAsync();
        return bootstrap.Stderr;
    }

    private protected void Say(FormattableString what) => output.WriteLine(what.ToString(CultureInfo.InvariantCulture));

    /// <summary>A number from the environment: short in everyday runs, long where there is time.</summary>
    private protected static int Number(string variable, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), CultureInfo.InvariantCulture, out var given) ? given : otherwise;

    /// <summary>Random choices of a run can be repeated: the seed is printed, and NOMADSTACK_TEST_SEED sets it.</summary>
    private protected Random Dice()
    {
        var seed = Number("NOMADSTACK_TEST_SEED", Random.Shared.Next(100_000));
        Say($"NOMADSTACK_TEST_SEED={seed}");
        return new(seed);
    }
}
