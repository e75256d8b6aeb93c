// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics;
using Nomadstack.Processes;

namespace Nomadstack.Tests.Processes;

/// <summary>A data folder of its own with a spawner and a watcher; whatever was started from it is killed in the end.</summary>
internal sealed class ProcessFolder : IDisposable
{
    public ProcessFolder()
    {
        Path = Directory.CreateTempSubdirectory("nomadstack-agents-").FullName;
        Spawner = new(Path);
    }

    public string Path { get; }
    public string Records => System.IO.Path.Combine(Path, "processes");
    public ProcessSpawner Spawner { get; }
    public ProcessWatcher Watcher { get; } = ProcessWatcher.Start();
    public List<ProcessEvent> Events { get; } = [];

    public ProcessSpec Sleep(string name = "sleeper", string seconds = "600") => new(name, "/bin/sleep", [seconds], Log(name));

    public ProcessSpec Shell(string script, string name = "shell") => new(name, "/bin/sh", ["-c", script], Log(name));

    public string Log(string name) => System.IO.Path.Combine(Path, "log", name + ".log");

    public SupervisedProcess Supervise(string name = "sleeper") => new(name, Records, Spawner, Watcher, TimeProvider.System)
    {
        OnEvent = e =>
        {
            lock (Events) Events.Add(e);
        },
    };

    /// <summary>All living processes that carry a marker of this folder.</summary>
    public List<int> Living() =>
        [.. ProcFs.Pids().Where(pid => ProcFs.EnvironmentOf(pid)?.Any(e => e.StartsWith($"{ProcessSpawner.MarkerName}={Path}:", StringComparison.Ordinal)) is true && ProcFs.Identify(pid) is { } p && ProcFs.IsAlive(p))];

    public static async Task Eventually(string what, Func<bool> condition)
    {
        var watch = Stopwatch.StartNew();
        while (!condition())
        {
            if (watch.Elapsed > TimeSpan.FromSeconds(20)) throw new TimeoutException(what);
            await Task.Delay(10);
        }
    }

    public void Dispose()
    {
        // Again until none is left: a shell may start one more while it is looked for.
        while (Living() is { Count: > 0 } living)
        {
            foreach (var pid in living)
            {
                if (ProcFs.Identify(pid) is { } process) PidFd.Signal(process, Signals.SIGKILL);
            }
        }

        Watcher.Dispose();
        Directory.Delete(Path, recursive: true);
    }
}
