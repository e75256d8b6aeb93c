// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics;
using Nomadstack.Engine.Tests.Conformance;
using Nomadstack.Engine.Tests.Server;
using Shouldly;
using Xunit;

namespace Nomadstack.Engine.Tests.Http;

/// <summary>HashiCorp's own program as a client of our API: what it says of us is what it says of its own.</summary>
public sealed class HashiCorpCliTests
{
    private const string Hcl =
        """
        job "web" {
          datacenters = ["dc1"]
          group "g" {
            count = 2
            task "t" {
              driver = "raw_exec"
              config {
                command = "/bin/sleep"
                args    = ["60"]
              }
              resources {
                cpu    = 100
                memory = 64
              }
            }
          }
        }
        """;

    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(120);

    [SkippableFact]
    public async Task JobsNodesAndServersAreHandledByIt()
    {
        var program = Find();
        Skip.If(program is null, "No HashiCorp nomad here: put one on the PATH or name it in NOMADSTACK_NOMAD.");
        await using var cluster = await AgentCluster.OneAsync();
        var agent = cluster.Agents["s1"];
        await using var client = await FakeClient.StartAsync("node-one", agent.Server.Config.Advertise.Rpc);
        var folder = Directory.CreateTempSubdirectory("nomadstack-cli-").FullName;
        try
        {
            var file = Path.Combine(folder, "web.nomad");
            await File.WriteAllTextAsync(file, Hcl);
            Task<(int Code, string Text)> Nomad(params string[] arguments) => RunAsync(program!, agent.Http.BaseAddress!, arguments);

            (await Nomad("server", "members")).Text.ShouldContain("s1.global");
            (await Nomad("operator", "raft", "list-peers")).Text.ShouldContain("leader");
            (await Nomad("node", "status")).Text.ShouldContain("node-one");
            var node = await Nomad("node", "status", client.Node.ID);
            node.Code.ShouldBe(0, node.Text);
            node.Text.ShouldContain("Eligibility");

            var plan = await Nomad("job", "plan", file);
            plan.Code.ShouldBe(1, plan.Text);
            plan.Text.ShouldContain("2 create");
            var run = await Nomad("job", "run", file);
            run.Code.ShouldBe(0, run.Text);
            run.Text.ShouldContain("finished with status \"complete\"");
            var status = await Nomad("job", "status", "web");
            status.Text.ShouldContain("Allocations");
            status.Text.ShouldContain("running");
            var evaluation = (string?)(await agent.GetAsync("/v1/job/web/evaluations"))![0]!["ID"];
            (await Nomad("eval", "status", evaluation!)).Text.ShouldContain("complete");
            var allocation = (string?)(await agent.GetAsync("/v1/job/web/allocations"))![0]!["ID"];
            (await Nomad("alloc", "status", allocation!)).Text.ShouldContain("Client Status");
            var halted = await Nomad("alloc", "stop", allocation!);
            halted.Code.ShouldBe(0, halted.Text);
            (await Nomad("node", "drain", "-enable", "-force", "-detach", "-yes", client.Node.ID)).Code.ShouldBe(0);
            (await Nomad("node", "drain", "-disable", "-yes", client.Node.ID)).Code.ShouldBe(0);
            (await Nomad("node", "eligibility", "-enable", client.Node.ID)).Code.ShouldBe(0);

            var snapshot = Path.Combine(folder, "state.snap");
            var saved = await Nomad("operator", "snapshot", "save", snapshot);
            saved.Code.ShouldBe(0, saved.Text);
            var stopped = await Nomad("job", "stop", "-purge", "web");
            stopped.Code.ShouldBe(0, stopped.Text);
            (await agent.SendAsync("GET", "/v1/job/web")).Status.ShouldBe(404);
            var restored = await Nomad("operator", "snapshot", "restore", snapshot);
            restored.Code.ShouldBe(0, restored.Text);
            await cluster.EventuallyAsync("the job is back", async () => (await agent.SendAsync("GET", "/v1/job/web")).Status == 200);
            (await Nomad("system", "gc")).Code.ShouldBe(0);
            var removed = await Nomad("operator", "raft", "remove-peer", "-peer-id", "nobody");
            removed.Code.ShouldBe(1);
            removed.Text.ShouldContain("id \"nobody\" was not found in the Raft configuration");
            (await Nomad("agent-info")).Text.ShouldContain("latest_configuration");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [SkippableFact]
    public async Task WhatItAsksBesideTheOrdinaryIsAnsweredOrSaidByName()
    {
        var program = Find();
        Skip.If(program is null, "No HashiCorp nomad here: put one on the PATH or name it in NOMADSTACK_NOMAD.");
        var engine = new EmbeddedEngine();
        await engine.InitializeAsync();
        var folder = Directory.CreateTempSubdirectory("nomadstack-cli-").FullName;
        try
        {
            Task<(int Code, string Text)> Nomad(params string[] arguments) => RunAsync(program!, engine.Address, arguments, folder);
            var file = Path.Combine(folder, "talk.nomad");
            // Without datacenters: in all of them.
            await File.WriteAllTextAsync(file, Hcl.Replace("  datacenters = [\"dc1\"]\n", "", StringComparison.Ordinal).Replace("/bin/sleep", "/bin/sh", StringComparison.Ordinal).Replace("[\"60\"]", "[\"-c\", \"echo one; echo two; echo three; exec sleep 600\"]", StringComparison.Ordinal));
            var run = await Nomad("job", "run", file);
            run.Code.ShouldBe(0, run.Text);
            await engine.EventuallyAsync("both run", async () => (await engine.GetAsync("/v1/job/web/allocations")).AsArray().Count(a => (string)a!["ClientStatus"]! == "running") == 2);
            var allocation = (string)(await engine.GetAsync("/v1/job/web/allocations"))[0]!["ID"]!;

            (await Nomad("status", "we")).Text.ShouldContain("ID            = web");
            (await Nomad("status", allocation[..8])).Text.ShouldContain("Client Status");
            await engine.EventuallyAsync("it has talked", async () => (await Nomad("alloc", "logs", allocation)).Text.Contains("three", StringComparison.Ordinal));
            var tail = await Nomad("alloc", "fs", "-tail", "-n", "2", allocation, "alloc/logs/t.stdout.0");
            tail.ShouldBe((0, "two\nthree\n"));
            (await Nomad("operator", "metrics")).Text.ShouldContain("nomad.nomad.job_status.running");
            var snapshot = Path.Combine(folder, "state.snap");
            (await Nomad("operator", "snapshot", "save", snapshot)).Code.ShouldBe(0);
            (await Nomad("operator", "snapshot", "inspect", snapshot)).Text.ShouldContain("Index");
            (await Nomad("job", "history", "-p", "web")).Code.ShouldBe(0);

            (await Nomad("node", "status", "-region", "europe")).Text.ShouldContain("No path to region");
            foreach (var command in new[] { "namespace list", "volume status", "plugin status", "scaling policy list", "system reconcile summaries" })
            {
                var refused = await Nomad(command.Split(' '));
                (refused.Code, refused.Text.Contains("nomadstack's embedded engine does not answer", StringComparison.Ordinal)).ShouldBe((1, true), $"{command}: {refused.Text}");
            }

            // The file that it writes for beginners: all of what is not here, in one message.
            (await Nomad("job", "init")).Code.ShouldBe(0);
            var example = await Nomad("job", "run", "example.nomad");
            example.Code.ShouldBe(1);
            example.Text.ShouldContain("TaskGroups[0].Services: is something that HashiCorp's Nomad does and the embedded engine does not");
        }
        finally
        {
            await engine.DisposeAsync();
            Directory.Delete(folder, recursive: true);
        }
    }

    internal static async Task<(int Code, string Text)> RunAsync(string program, Uri address, string[] arguments, string? folder = null, IReadOnlyDictionary<string, string>? environment = null)
    {
        var start = new ProcessStartInfo(program) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = folder ?? "" };
        foreach (var argument in arguments) start.ArgumentList.Add(argument);
        start.Environment["NOMAD_ADDR"] = address.ToString().TrimEnd('/');
        foreach (var (name, value) in environment ?? new Dictionary<string, string>()) start.Environment[name] = value;
        using var process = Process.Start(start)!;
        using var deadline = new CancellationTokenSource(Deadline);
        var (output, error) = (process.StandardOutput.ReadToEndAsync(deadline.Token), process.StandardError.ReadToEndAsync(deadline.Token));
        try
        {
            await process.WaitForExitAsync(deadline.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"nomad {string.Join(' ', arguments)} did not end within {Deadline}");
        }

        return (process.ExitCode, await output + await error);
    }

    internal static string? Find()
    {
        if (Environment.GetEnvironmentVariable("NOMADSTACK_NOMAD") is { Length: > 0 } named) return named;
        return (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Select(folder => Path.Combine(folder, "nomad")).FirstOrDefault(File.Exists);
    }
}
