// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using Nomadstack.Cli.Output;
using Nomadstack.Doctor;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Cli;

public sealed class DoctorTests
{
    private static readonly DoctorDocument s_ill = new(1, "/data", false,
    [
        Finding.Ok("agent", "none runs on /data"),
        Finding.Problem("ports", new("preflight/port-taken", "Port 4646 on 0.0.0.0, needed for Nomad client HTTP, is taken.", "It is held by pid 77: /usr/bin/nomad agent -dev -bind 0.0.0.0 -config /etc/nomad.d.", "Stop that process, or give this node other ports.")),
        Finding.Warning("clock", new("doctor/clock-not-kept", "No time service sets this machine's clock.", "w", "f")),
    ]);

    [Fact]
    public void EveryFindingIsReadableOnEightyColumns()
    {
        var typed = new Typed();

        DoctorText.Write(typed.Here, s_ill);

        var text = typed.Out.ToString();
        var lines = text.Split('\n');
        lines[0].ShouldBe("1 problem, 1 warning");
        lines.ShouldAllBe(line => line.Length <= 80 && !line.Any(char.IsControl));
        text.ShouldContain("problem  ports        Port 4646");
        text.ShouldContain("\n         why:  It is held by");
        text.ShouldContain("\n         fix:  Stop that process");
    }

    [Fact]
    public async Task TheExitCodeSaysWhetherSomethingIsWrong()
    {
        var folder = Directory.CreateTempSubdirectory("nomadstack-doctor-").FullName;
        try
        {
            var typed = new Typed();

            // An address that no machine has.
            (await typed.RunAsync("doctor", "--json", "--data-dir", folder, "--bind", "192.0.2.1")).ShouldBe(1);

            using var document = JsonDocument.Parse(typed.Out.ToString());
            document.RootElement.GetProperty("healthy").GetBoolean().ShouldBeFalse();
            document.RootElement.GetProperty("checks").EnumerateArray().ShouldContain(c => c.GetProperty("code").GetString() == "preflight/bind-not-here");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
