// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cli;
using Nomadstack.Ground.Kernel;

namespace Nomadstack;

/// <summary>Parse, run, exit code.</summary>
internal static class Program
{
    private static async Task<int> Main(string[] args)
    {
        DebugPipes.Remove();
        // Before everything that belongs to the agent: what runs then is a server or a client, and handles signals as those do.
        if (args is ["engine", .. var rest]) return await Engine.EngineAgent.RunAsync(rest, CancellationToken.None);
        using var signals = new Interrupts(TimeProvider.System);
        var here = Surroundings.OfThisProcess(signals.Hard);
        return await CommandLine.RunAsync(CalledAs.Arguments(args), here, signals.Soft);
    }
}
