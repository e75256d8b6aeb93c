// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Health.V1;
using Nomadstack.Cluster;
using Nomadstack.Ground.Protocol;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Driver;

public sealed class TaskDriverTests : IAsyncLifetime
{
    private const string Id = "alloc/server/0123abcd";
    private DriverHarness _driver = null!;

    public async Task InitializeAsync() => _driver = await DriverHarness.StartAsync();

    public async Task DisposeAsync() => await _driver.DisposeAsync();

    [Fact]
    public async Task IntroducesItselfAsADriver()
    {
        var info = await _driver.Nomad.UnaryAsync(NomadCaller.Base + "PluginInfo", new PluginInfoRequest(), PluginInfoResponse.Parser);
        info.ShouldBe(new PluginInfoResponse { Type = PluginType.Driver, Name = "nomadstack", PluginVersion = "0.1.0", PluginApiVersions = { "v0.1.0" } });
        (await _driver.Nomad.UnaryAsync(NomadCaller.Base + "ConfigSchema", new ConfigSchemaRequest(), ConfigSchemaResponse.Parser)).Spec.Object.ShouldNotBeNull();
        for (var i = 0; i < 2; i++) await _driver.Nomad.UnaryAsync(NomadCaller.Base + "SetConfig", new SetConfigRequest(), SetConfigResponse.Parser);
        await _driver.Nomad.UnaryAsync(NomadCaller.Driver + "Init", new InitRequest(), InitResponse.Parser);
        await _driver.Nomad.UnaryAsync(NomadCaller.Driver + "Shutdown", new ShutdownRequest(), ShutdownResponse.Parser);
    }

    [Fact]
    public async Task SaysWhatItCanDo()
    {
        var can = (await _driver.Nomad.UnaryAsync(NomadCaller.Driver + "Capabilities", new CapabilitiesRequest(), CapabilitiesResponse.Parser)).Capabilities;
        can.SendSignals.ShouldBeTrue();
        can.Exec.ShouldBeFalse();
        can.DisableLogCollection.ShouldBeFalse();
        can.MountConfigs.ShouldBe(DriverCapabilities.Types.MountConfigs.NoMounts);
        can.NetworkIsolationModes.ShouldBe([NetworkIsolationSpec.Types.NetworkIsolationMode.Host]);
        var schema = (await _driver.Nomad.UnaryAsync(NomadCaller.Driver + "TaskConfigSchema", new TaskConfigSchemaRequest(), TaskConfigSchemaResponse.Parser)).Spec.Object.Attributes;
        schema["role"].Attr.Required.ShouldBeTrue();
        schema["version"].Attr.Required.ShouldBeFalse();
    }

    [Fact]
    public async Task FingerprintsAtOnceAndOnEachChange()
    {
        using var stream = await _driver.Nomad.OpenAsync(NomadCaller.Driver + "Fingerprint", new FingerprintRequest());
        var first = FingerprintResponse.Parser.ParseFrom((await stream.NextAsync()).ShouldNotBeNull());
        first.Health.ShouldBe(FingerprintResponse.Types.HealthState.Healthy);
        first.Attributes["driver.nomadstack.version"].StringVal.ShouldBe("0.1.0");

        _driver.Server.SetHealth(false, "stopping");

        var second = FingerprintResponse.Parser.ParseFrom((await stream.NextAsync()).ShouldNotBeNull());
        second.Health.ShouldBe(FingerprintResponse.Types.HealthState.Unhealthy);
        second.HealthDescription.ShouldBe("stopping");
    }

    [Fact]
    public async Task WaitsUntilTheTaskIsStopped()
    {
        var handle = await _driver.StartTaskAsync(DriverHarness.Config(Id));
        handle.Version.ShouldBe(1);
        handle.State.ShouldBe(TaskState.Running);
        var wait = await _driver.BeginWaitAsync(Id);
        wait.IsCompleted.ShouldBeFalse();

        await _driver.StopTaskAsync(Id);

        (await wait.WaitAsync(TimeSpan.FromSeconds(5))).Result.ShouldBe(new ExitResult());
        (await _driver.WaitTaskAsync(Id)).Result.ExitCode.ShouldBe(0);
    }

    [Fact]
    public async Task ANewerClaimEndsTheOlderTask()
    {
        await _driver.StartTaskAsync(DriverHarness.Config(Id));
        var wait = await _driver.BeginWaitAsync(Id);

        await _driver.StartTaskAsync(DriverHarness.Config("other/server/0"));

        (await wait.WaitAsync(TimeSpan.FromSeconds(5))).Result.ExitCode.ShouldBe(0);
        _driver.Host.Holds("other/server/0").ShouldBeTrue();
    }

    [Fact]
    public async Task RecoversFromTheHandleAloneAfterTheAgentRestarted()
    {
        var handle = await _driver.StartTaskAsync(DriverHarness.Config(Id, "consul"));
        await _driver.RestartAgentAsync();

        // Nomad restores a handle without the task's config block.
        handle.Config.MsgpackDriverConfig = ByteString.Empty;
        await _driver.RecoverTaskAsync(handle);
        await _driver.RecoverTaskAsync(handle);

        _driver.Host.Calls.ShouldBe(["claim consul " + Id, "claim consul " + Id]);
        var wait = await _driver.BeginWaitAsync(Id);
        await _driver.StopTaskAsync(Id);
        (await wait.WaitAsync(TimeSpan.FromSeconds(5))).Result.ExitCode.ShouldBe(0);
    }

    /// <summary>Nomad 1.1.2 asks so for each allocation that ended on this node and that it has not collected yet, at every start of its client.</summary>
    [Fact]
    public async Task ATaskThatEndedBeforeTheAgentRestartedIsNotRecovered()
    {
        var handle = await _driver.StartTaskAsync(DriverHarness.Config(Id));
        await _driver.StopTaskAsync(Id);
        await _driver.DestroyTaskAsync(Id);
        (await Should.ThrowAsync<GrpcFailure>(() => _driver.RecoverTaskAsync(handle))).Code.ShouldBe(5);
        await _driver.StartTaskAsync(DriverHarness.Config("newer/server/0"));
        await _driver.RestartAgentAsync();

        (await Should.ThrowAsync<GrpcFailure>(() => _driver.RecoverTaskAsync(handle))).Code.ShouldBe(5);

        _driver.Host.Holds("newer/server/0").ShouldBeTrue();
        _driver.Host.Holds(Id).ShouldBeFalse();
        // Started anew, as Nomad does with one that is still wanted, it has the server.
        await _driver.StartTaskAsync(DriverHarness.Config(Id));
        _driver.Host.Holds(Id).ShouldBeTrue();
    }

    [Fact]
    public async Task RecoveringAnEndedTaskTakesNothingBack()
    {
        var handle = await _driver.StartTaskAsync(DriverHarness.Config(Id));
        await _driver.StartTaskAsync(DriverHarness.Config("newer/server/0"));
        await _driver.WaitTaskAsync(Id);

        await _driver.RecoverTaskAsync(handle);

        _driver.Host.Holds("newer/server/0").ShouldBeTrue();
        (await _driver.WaitTaskAsync(Id)).Result.ExitCode.ShouldBe(0);
    }

    [Fact]
    public async Task StoppingAndDestroyingTheUnknownIsFine()
    {
        await _driver.StopTaskAsync("nobody");
        await _driver.Nomad.UnaryAsync(NomadCaller.Driver + "DestroyTask", new DestroyTaskRequest { TaskId = "nobody", Force = true }, DestroyTaskResponse.Parser);
    }

    [Fact]
    public async Task ADestroyedTaskIsForgottenAndItsWaitEnds()
    {
        await _driver.StartTaskAsync(DriverHarness.Config(Id));
        var wait = await _driver.BeginWaitAsync(Id);

        await _driver.Nomad.UnaryAsync(NomadCaller.Driver + "DestroyTask", new DestroyTaskRequest { TaskId = Id, Force = true }, DestroyTaskResponse.Parser);

        (await wait.WaitAsync(TimeSpan.FromSeconds(5))).Result.ExitCode.ShouldBe(0);
        (await Should.ThrowAsync<GrpcFailure>(() => _driver.WaitTaskAsync(Id))).Message.ShouldContain("task not found");
    }

    [Fact]
    public async Task AnUnknownRoleFailsForGoodAndNamesTheKnownOnes()
    {
        var failure = await Should.ThrowAsync<GrpcFailure>(() => _driver.StartTaskAsync(DriverHarness.Config(Id, "vault")));
        failure.Message.ShouldContain("\"vault\"");
        failure.Message.ShouldContain("consul, nomad");
        failure.Details.ShouldBeNull();
        _driver.Host.Calls.ShouldBeEmpty();
    }

    [Fact]
    public async Task AServerThatCannotStartNowMayBeTriedAgain()
    {
        _driver.Host.ClaimFails = new ProblemException(new("server/start", "The server – 100% – did not start.", "Why.", "Fix."));
        var failure = await Should.ThrowAsync<GrpcFailure>(() => _driver.StartTaskAsync(DriverHarness.Config(Id)));
        failure.Message.ShouldStartWith("The server – 100% – did not start.");
        var text = failure.Details.ShouldNotBeNull();
        var status = Status.Parser.ParseFrom(Convert.FromBase64String(text.PadRight((text.Length + 3) / 4 * 4, '=')));
        status.Code.ShouldBe(failure.Code);
        status.Details.Single().TypeUrl.ShouldBe("type.googleapis.com/hashicorp.nomad.plugins.shared.structs.RecoverableError");
        RecoverableError.Parser.ParseFrom(status.Details.Single().Value).Recoverable.ShouldBeTrue();
    }

    [Fact]
    public async Task ARefusalIsFinal()
    {
        _driver.Host.ClaimFails = new ProblemException(new("server/unsafe", "No.", "Why.", "Fix.") { Unsafe = true });
        (await Should.ThrowAsync<GrpcFailure>(() => _driver.StartTaskAsync(DriverHarness.Config(Id)))).Details.ShouldBeNull();
    }

    [Fact]
    public async Task AMalformedConfigIsNamedByItsByte()
    {
        var config = DriverHarness.Config(Id);
        config.MsgpackDriverConfig = ByteString.CopyFrom([0x81, 0xa4, .. "role"u8, 0x05]);
        (await Should.ThrowAsync<GrpcFailure>(() => _driver.StartTaskAsync(config))).Message.ShouldContain("byte 6: a string expected, found a whole number");
    }

    [Fact]
    public async Task StatsCarryTimeAndWhatWasMeasured()
    {
        await _driver.StartTaskAsync(DriverHarness.Config(Id));
        using var stream = await _driver.Nomad.OpenAsync(NomadCaller.Driver + "TaskStats", new TaskStatsRequest { TaskId = Id, CollectionInterval = Duration.FromTimeSpan(TimeSpan.FromMilliseconds(100)) });
        var first = TaskStatsResponse.Parser.ParseFrom((await stream.NextAsync()).ShouldNotBeNull()).Stats;
        first.Timestamp.ToDateTimeOffset().ShouldBe(DateTimeOffset.UtcNow, TimeSpan.FromSeconds(5));
        first.AggResourceUsage.Memory.Rss.ShouldBeGreaterThan(1_000_000ul);
        first.AggResourceUsage.Memory.MeasuredFields.ShouldContain(MemoryUsage.Types.Fields.Rss);
        first.ResourceUsageByPid.Keys.Single().ShouldBe(Environment.ProcessId.ToString());
        var spin = System.Diagnostics.Stopwatch.StartNew();
        while (spin.ElapsedMilliseconds < 150)
        {
        }

        var second = TaskStatsResponse.Parser.ParseFrom((await stream.NextAsync()).ShouldNotBeNull()).Stats;
        second.AggResourceUsage.Cpu.MeasuredFields.ShouldContain(CPUUsage.Types.Fields.Percent);
        second.AggResourceUsage.Cpu.Percent.ShouldBe(second.AggResourceUsage.Cpu.UserMode + second.AggResourceUsage.Cpu.SystemMode);

        await _driver.StopTaskAsync(Id);

        while (await stream.NextAsync().WaitAsync(TimeSpan.FromSeconds(5)) is not null)
        {
        }

        stream.Status("grpc-status").ShouldBe("0");
    }

    [Fact]
    public async Task TaskEventsPassThroughAndADroppedStreamIsNoticed()
    {
        using (var stream = await _driver.Nomad.OpenAsync(NomadCaller.Driver + "TaskEvents", new TaskEventsRequest()))
        {
            await DriverHarness.EventuallyAsync("a reader", () => _driver.Host.Readers == 1);
            _driver.Host.Tell(new(new(Id, "alloc", "server", "nomad-server", "nomad", null), DateTimeOffset.UnixEpoch, "server restarted after exit 1"));
            var e = DriverTaskEvent.Parser.ParseFrom((await stream.NextAsync()).ShouldNotBeNull());
            e.ShouldBe(new DriverTaskEvent { TaskId = Id, AllocId = "alloc", TaskName = "server", Timestamp = DateTimeOffset.UnixEpoch.ToTimestamp(), Message = "server restarted after exit 1" });
        }

        await DriverHarness.EventuallyAsync("the reader to go", () => _driver.Host.Readers == 0);
    }

    [Fact]
    public async Task TheSameLogCollectorIsServedAcrossARestartOfTheAgent()
    {
        var fifo = Path.Combine(_driver.Folder, ".server.stdout.fifo");
        using (var mkfifo = Process.Start("mkfifo", [fifo])) await mkfifo.WaitForExitAsync();
        // As Nomad's collector: reads to the first end of file and no further.
        using var collector = Process.Start(new ProcessStartInfo("cat", [fifo]) { RedirectStandardOutput = true })!;
        async Task<string?> LineAsync() => await collector.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(10));
        var handle = await _driver.StartTaskAsync(DriverHarness.Config(Id, stdout: fifo));
        await File.AppendAllTextAsync(_driver.Host.LogFile("nomad"), "before\n");
        (await LineAsync()).ShouldBe("before");
        await DriverHarness.EventuallyAsync("the keeper", () => Directory.EnumerateFiles(_driver.LifelineFolder, "log-nomad-*").Any());

        await _driver.RestartAgentAsync();
        await _driver.RecoverTaskAsync(handle);
        await File.AppendAllTextAsync(_driver.Host.LogFile("nomad"), "after\n");

        (await LineAsync()).ShouldBe("after");
        await _driver.StopTaskAsync(Id);
        (await LineAsync()).ShouldBeNull();
        await collector.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(5));
        await DriverHarness.EventuallyAsync("nothing left in the folder", () => !Directory.EnumerateFiles(_driver.LifelineFolder).Any());
    }

    [Fact]
    public async Task SignalsGoToTheServerByNumber()
    {
        await _driver.StartTaskAsync(DriverHarness.Config(Id));
        await _driver.Nomad.UnaryAsync(NomadCaller.Driver + "SignalTask", new SignalTaskRequest { TaskId = Id, Signal = "SIGHUP" }, SignalTaskResponse.Parser);
        _driver.Host.Signals.ShouldBe([("nomad", 1)]);
        (await Should.ThrowAsync<GrpcFailure>(() => _driver.Nomad.UnaryAsync(NomadCaller.Driver + "SignalTask", new SignalTaskRequest { TaskId = Id, Signal = "SIGNONE" }, SignalTaskResponse.Parser))).Code.ShouldBe(3);
    }

    [Fact]
    public async Task InspectTellsRoleAndPid()
    {
        await _driver.StartTaskAsync(DriverHarness.Config(Id));
        var inspected = await _driver.Nomad.UnaryAsync(NomadCaller.Driver + "InspectTask", new InspectTaskRequest { TaskId = Id }, InspectTaskResponse.Parser);
        inspected.Task.State.ShouldBe(TaskState.Running);
        inspected.Driver.Attributes["role"].ShouldBe("nomad");
        inspected.Driver.Attributes["pid"].ShouldBe(Environment.ProcessId.ToString());
    }

    [Theory]
    [InlineData(NomadCaller.Driver + "CreateNetwork")]
    [InlineData(NomadCaller.Driver + "ExecTask")]
    [InlineData(NomadCaller.Driver + "ExecTaskStreaming")]
    [InlineData("plugin.GRPCController/Restart")]
    [InlineData("nobody.Knows/This")]
    public async Task WhatIsNotOfferedIsUnimplemented(string method)
    {
        using var call = await _driver.Nomad.OpenAsync(method, new InitRequest());
        (await call.NextAsync()).ShouldBeNull();
        call.TrailersOnly.ShouldBeTrue();
        call.Status("grpc-status").ShouldBe("12");
    }

    [Fact]
    public async Task ItsHealthIsThatOfAPluginWhichServes()
    {
        var health = await _driver.Nomad.UnaryAsync("grpc.health.v1.Health/Check", new HealthCheckRequest { Service = "plugin" }, HealthCheckResponse.Parser);
        health.Status.ShouldBe(HealthCheckResponse.Types.ServingStatus.Serving);
    }

    [Fact]
    public async Task AFaultOfTheDiskIsAFailureThatNomadAndTheLogHearOf()
    {
        _driver.Host.ClaimFails = new IOException("Input/output error");
        var failure = await Should.ThrowAsync<GrpcFailure>(() => _driver.StartTaskAsync(DriverHarness.Config(Id)));
        failure.Code.ShouldBe(13);
        failure.Message.ShouldBe("The driver failed: Input/output error");
        _driver.Log.Lines.ShouldBe(["Error: /hashicorp.nomad.plugins.drivers.proto.Driver/StartTask failed: Input/output error"]);
    }

    [Fact]
    public async Task AStreamThatFailsTellsWhyInItsTrailers()
    {
        using var stream = await _driver.Nomad.OpenAsync(NomadCaller.Driver + "TaskEvents", new TaskEventsRequest());
        await DriverHarness.EventuallyAsync("a reader", () => _driver.Host.Readers == 1);
        _driver.Host.FailEvents(new IOException("Input/output error"));
        (await stream.NextAsync().WaitAsync(TimeSpan.FromSeconds(5))).ShouldBeNull();
        stream.TrailersOnly.ShouldBeFalse();
        stream.Status("grpc-status").ShouldBe("13");
    }

    [Fact]
    public async Task ACallerThatGoesIsNoFault()
    {
        await _driver.StartTaskAsync(DriverHarness.Config(Id));
        using (var gone = new NomadCaller(_driver.Socket))
        {
            foreach (var (method, request) in new (string, IMessage)[]
            {
                (NomadCaller.Driver + "Fingerprint", new FingerprintRequest()), (NomadCaller.Driver + "TaskEvents", new TaskEventsRequest()),
                (NomadCaller.Driver + "TaskStats", new TaskStatsRequest { TaskId = Id }), ("plugin.GRPCStdio/StreamStdio", new Google.Protobuf.WellKnownTypes.Empty()),
            })
            {
                _ = await gone.OpenAsync(method, request);
            }

            _ = gone.UnaryAsync(NomadCaller.Driver + "WaitTask", new WaitTaskRequest { TaskId = Id }, WaitTaskResponse.Parser).ContinueWith(wait => wait.Exception, TaskScheduler.Default);
            await DriverHarness.EventuallyAsync("a reader", () => _driver.Host.Readers == 1);
        }

        await DriverHarness.EventuallyAsync("the reader to go", () => _driver.Host.Readers == 0);
        await _driver.StopServingAsync();
        _driver.Log.Lines.ShouldBeEmpty();
    }

    [Fact]
    public async Task AMessageLongerThanAnyOfNomadsIsRefused()
    {
        var config = DriverHarness.Config(Id);
        config.Env["LONG"] = new('x', 4 * 1024 * 1024);
        (await Should.ThrowAsync<GrpcFailure>(() => _driver.StartTaskAsync(config))).Code.ShouldBe(8);
        (await _driver.StartTaskAsync(DriverHarness.Config(Id))).State.ShouldBe(TaskState.Running);
    }

    [Fact]
    public async Task ManyStreamsShareOneConnection()
    {
        await _driver.StartTaskAsync(DriverHarness.Config(Id));
        var waits = Enumerable.Range(0, 300).Select(_ => _driver.WaitTaskAsync(Id)).ToArray();
        await _driver.Nomad.UnaryAsync(NomadCaller.Driver + "Capabilities", new CapabilitiesRequest(), CapabilitiesResponse.Parser).WaitAsync(TimeSpan.FromSeconds(5));
        await _driver.StopTaskAsync(Id);
        await Task.WhenAll(waits).WaitAsync(TimeSpan.FromSeconds(10));
    }

    [Fact]
    public async Task OpenCallsEndUnavailableWhenTheAgentStops()
    {
        await _driver.StartTaskAsync(DriverHarness.Config(Id));
        var wait = await _driver.BeginWaitAsync(Id);
        await _driver.Server.StopAsync();
        (await Should.ThrowAsync<GrpcFailure>(() => wait)).Code.ShouldBe(14);
    }
}
