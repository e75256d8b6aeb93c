// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics;
using Nomadstack.Processes;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Processes;

public sealed class MarkedProcessesTests : IDisposable
{
    private readonly string _data = "/nowhere/" + Guid.NewGuid();
    private readonly List<Process> _started = [];

    [Fact]
    public async Task EverythingBelowOneProcessIsEndedTheStubbornTooAndNothingElse()
    {
        var task = Start("nomad-client", "exec sleep 60");
        var stubborn = Start("nomad-client", "trap '' TERM; echo deaf; while :; do sleep 60 & wait; done");
        (await stubborn.StandardOutput.ReadLineAsync()).ShouldBe("deaf");
        var server = Start("nomad-server", "exec sleep 60");

        var ended = await MarkedProcesses.EndAsync(_data, "nomad-client", TimeSpan.FromMilliseconds(300), TimeProvider.System, CancellationToken.None);

        ended.ShouldBeGreaterThanOrEqualTo(3, "the shell's own child inherits the mark");
        await Task.WhenAll(task.WaitForExitAsync(), stubborn.WaitForExitAsync()).WaitAsync(TimeSpan.FromSeconds(10));
        server.HasExited.ShouldBeFalse();
        MarkedProcesses.Of(_data).Select(process => process.Pid).ShouldBe([server.Id]);
    }

    public void Dispose()
    {
        foreach (var process in _started)
        {
            if (!process.HasExited) process.Kill(entireProcessTree: true);
            process.Dispose();
        }
    }

    private Process Start(string name, string script)
    {
        var start = new ProcessStartInfo("/bin/sh") { RedirectStandardOutput = true, ArgumentList = { "-c", script } };
        start.Environment[ProcessSpawner.MarkerName] = $"{_data}:{name}";
        var process = Process.Start(start)!;
        _started.Add(process);
        return process;
    }
}
