// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Ground.Kernel;
using Nomadstack.Processes;

/// <summary>
/// Makes this assembly's own executable play an agent that starts a process and is killed: the runtime calls a type of this name, outside any namespace,
/// when DOTNET_STARTUP_HOOKS names the assembly.
/// </summary>
internal static class StartupHook
{
    public const string Folder = "NOMADSTACK_TEST_AGENT_FOLDER";
    public const string Moment = "NOMADSTACK_TEST_AGENT_DIES";

    public static void Initialize()
    {
        if (Environment.GetEnvironmentVariable(Folder) is not { } folder) return;
        // The child shall be no stranger to its folder, and shall not play the agent.
        Environment.SetEnvironmentVariable("DOTNET_STARTUP_HOOKS", null);
        var records = Path.Combine(folder, "processes");
        var spec = new ProcessSpec("sleeper", "/bin/sleep", ["600"], Path.Combine(folder, "log", "sleeper.log"));
        var spawner = new ProcessSpawner(folder);
        if (Environment.GetEnvironmentVariable(Moment) == "before the record of the spawn")
        {
            ProcessRecord.At(records, "sleeper").Write(new() { Spec = spec, Wanted = true, BootId = ProcFs.BootId });
            spawner.Spawn(spec);
        }
        else
        {
            new SupervisedProcess("sleeper", records, spawner, ProcessWatcher.Start(), TimeProvider.System).StartAsync(spec, CancellationToken.None).GetAwaiter().GetResult();
        }

        _ = Libc.Kill(Environment.ProcessId, Signals.SIGKILL);
    }
}
