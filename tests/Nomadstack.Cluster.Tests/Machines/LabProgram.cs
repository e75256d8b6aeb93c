// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics;

namespace Nomadstack.Cluster.Tests.Machines;

/// <summary>A program in the background of a node, with the log it writes.</summary>
internal sealed class LabProgram(LabNode node, string name, string log, Process entered)
{
    public string Name => name;

    public LabNode Node => node;

    public string Log => log;

    /// <summary>What it has written so far.</summary>
    public string Text => File.Exists(log) ? File.ReadAllText(log) : "";

    /// <summary>The program itself (not the nsenter around it), or null once it is gone.</summary>
    public NodeProcess? Process => node.Pids().FirstOrDefault(process => process.Parent == entered.Id);

    public bool HasExited => entered.HasExited;

    public int ExitCode => entered.ExitCode;

    /// <summary>Calls back once, with the exit code, when it has ended.</summary>
    public void OnExit(Action<int> ended)
    {
        var once = 0;
        void Tell()
        {
            if (Interlocked.Exchange(ref once, 1) == 0) ended(entered.ExitCode);
        }

        entered.Exited += (_, _) => Tell();
        entered.EnableRaisingEvents = true;
        if (entered.HasExited) Tell();
    }

    /// <summary>Waits for its end and returns the exit code (128 + signal when killed).</summary>
    public async Task<int> ExitAsync(TimeSpan deadline)
    {
        await Eventually.TrueAsync($"{name} on {node.Name} ends", deadline, () => Task.FromResult(entered.HasExited), () => Text);
        return entered.ExitCode;
    }

    /// <summary>Sends a signal and waits until the program is gone.</summary>
    public async Task KillAsync(int signal = NodeProcess.Kill, TimeSpan? deadline = null)
    {
        await Eventually.TrueAsync($"{name} on {node.Name} is there to be killed", TimeSpan.FromSeconds(5), () => Task.FromResult(Process is not null || entered.HasExited));
        Process?.Signal(signal);
        await ExitAsync(deadline ?? TimeSpan.FromSeconds(10));
    }
}
