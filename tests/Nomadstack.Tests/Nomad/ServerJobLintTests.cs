// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;
using Nomadstack.Nomad;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Nomad;

public sealed class ServerJobLintTests
{
    private static JsonObject Sound(string role = Role.Nomad) => (JsonObject)JsonNode.Parse(new ServerJob { Product = Role.Row(role), Count = 3, Ports = new() }.Render())!;

    [Theory]
    [InlineData(Role.Nomad)]
    [InlineData(Role.Consul)]
    public void OurOwnJobsAreSound(string role) => ServerJobLint.Check(Sound(role).ToJsonString()).ShouldBeEmpty();

    [Theory]
    [InlineData("job", "Type", "\"system\"", "type")]
    [InlineData("job", "Type", "\"batch\"", "type")]
    [InlineData("job", "Periodic", "{}", "type")]
    [InlineData("job", "ParameterizedJob", "{}", "type")]
    [InlineData("job", "Multiregion", "{}", "type")]
    [InlineData("job", "ConsulToken", "\"x\"", "token")]
    [InlineData("job", "VaultToken", "\"x\"", "token")]
    [InlineData("job", "Constraints", "[]", "distinct-hosts")]
    [InlineData("job", "Constraints", """[{"Operand":"distinct_hosts","RTarget":"false"}]""", "distinct-hosts")]
    [InlineData("job", "Update", """{"MaxParallel":2}""", "update")]
    [InlineData("group", "Constraints", """[{"LTarget":"${attr.consul.version}","Operand":"is_set"}]""", "constraint")]
    [InlineData("task", "Constraints", """[{"LTarget":"${attr.vault.version}","Operand":"is_set"}]""", "constraint")]
    [InlineData("group", "Services", """[{"Name":"x","Provider":"nomad"}]""", "service")]
    [InlineData("group", "Services", """[{"Name":"x","Provider":"consul","Identity":{}}]""", "service")]
    [InlineData("group", "Volumes", """{"v":{"Type":"csi"}}""", "volume")]
    [InlineData("group", "StopAfterClientDisconnect", "60000000000", "stop-on-disconnect")]
    [InlineData("group", "Disconnect", """{"StopOnClientAfter":60000000000}""", "stop-on-disconnect")]
    [InlineData("group", "Scaling", """{"Max":5}""", "scaling")]
    [InlineData("group", "Consul", """{"Namespace":"x"}""", "consul")]
    [InlineData("group", "Consul", """{"Namespace":"","Cluster":"other","Partition":""}""", "consul")]
    [InlineData("group", "Consul", """{"Namespace":"","Cluster":"default","Partition":"x"}""", "consul")]
    [InlineData("group", "RestartPolicy", """{"Mode":"fail"}""", "restart")]
    [InlineData("group", "RestartPolicy", "null", "restart")]
    [InlineData("group", "ReschedulePolicy", """{"Attempts":1,"Unlimited":false}""", "reschedule")]
    [InlineData("group", "ReschedulePolicy", "null", "reschedule")]
    [InlineData("group", "EphemeralDisk", """{"Migrate":true}""", "ephemeral-disk")]
    [InlineData("group", "EphemeralDisk", """{"Sticky":true}""", "ephemeral-disk")]
    [InlineData("group", "Update", """{"MaxParallel":1,"Canary":1}""", "update")]
    [InlineData("group", "Update", """{"MaxParallel":1,"AutoPromote":true}""", "update")]
    [InlineData("group", "Update", """{"MaxParallel":1,"AutoRevert":true}""", "update")]
    [InlineData("group", "Update", """{"MaxParallel":1,"HealthCheck":"checks"}""", "update")]
    [InlineData("group", "Migrate", """{"MaxParallel":2}""", "migrate")]
    [InlineData("group", "Networks", "[]", "network")]
    [InlineData("group", "Networks", """[{"Mode":"bridge","ReservedPorts":[{"Label":"rpc","Value":4647}]}]""", "network")]
    [InlineData("group", "Networks", """[{"Mode":"host","ReservedPorts":[{"Label":"rpc","Value":4647}],"DynamicPorts":[{"Label":"x"}]}]""", "network")]
    [InlineData("task", "Driver", "\"raw_exec\"", "driver")]
    [InlineData("task", "Templates", """[{"EmbeddedTmpl":"x"}]""", "template")]
    [InlineData("task", "Artifacts", """[{"GetterSource":"x"}]""", "artifact")]
    [InlineData("task", "Vault", "{}", "vault")]
    [InlineData("task", "Consul", "{}", "consul")]
    [InlineData("task", "Identity", """{"Name":"default","File":true}""", "identity")]
    [InlineData("task", "Identity", """{"Name":"default","Env":true}""", "identity")]
    [InlineData("task", "Identities", """[{"Name":"x"}]""", "identity")]
    [InlineData("task", "Secrets", """[{"Name":"x"}]""", "secret")]
    [InlineData("task", "Services", """[{"Name":"x"}]""", "service")]
    [InlineData("task", "VolumeMounts", """[{"Volume":"v"}]""", "volume")]
    [InlineData("task", "CSIPluginConfig", "{}", "volume")]
    [InlineData("task", "DispatchPayload", "{}", "shape")]
    [InlineData("task", "Lifecycle", """{"Hook":"prestart"}""", "shape")]
    [InlineData("task", "ScalingPolicies", """[{"Max":1}]""", "shape")]
    [InlineData("task", "Schedule", "{}", "shape")]
    [InlineData("task", "RestartPolicy", """{"Mode":"fail"}""", "restart")]
    [InlineData("job", "TaskGroups", "[]", "shape")]
    public void RefusesWhatWouldMakeAServerNeedAServer(string where, string name, string value, string code)
    {
        var job = Sound();
        var group = (JsonObject)job["TaskGroups"]![0]!;
        var owner = where switch { "job" => job, "group" => group, _ => (JsonObject)group["Tasks"]![0]! };
        owner[name] = JsonNode.Parse(value);

        var problem = ServerJobLint.Check(job.ToJsonString()).ShouldHaveSingleItem();

        problem.Code.ShouldBe("job-lint/" + code);
        problem.What.ShouldStartWith("nomad-server ");
        problem.Unsafe.ShouldBeTrue();
        problem.Fix.Length.ShouldBeGreaterThan(10);
    }

    [Fact]
    public void RefusesASecondTask()
    {
        var job = Sound();
        var tasks = (JsonArray)job["TaskGroups"]![0]!["Tasks"]!;
        tasks.Add(tasks[0]!.DeepClone());

        ServerJobLint.Check(job.ToJsonString()).ShouldHaveSingleItem().Code.ShouldBe("job-lint/shape");
    }

    [Fact]
    public void ReportsEverythingAtOnce()
    {
        var job = Sound();
        job["Type"] = "batch";
        job["TaskGroups"]![0]!["Tasks"]![0]!["Driver"] = "docker";

        ServerJobLint.Check(job.ToJsonString()).Count.ShouldBe(2);
    }

    [Fact]
    public void AcceptsWhatNomadFillsIn()
    {
        var job = Sound();
        job["Update"] = JsonNode.Parse("""{"Stagger":30000000000,"MaxParallel":1,"HealthCheck":"","Canary":0,"AutoRevert":false,"AutoPromote":false}""");
        job["Periodic"] = null;
        job["VaultToken"] = "";
        var group = job["TaskGroups"]![0]!;
        group["Services"] = null;
        group["Volumes"] = null;
        group["Disconnect"] = null;
        group["Consul"] = JsonNode.Parse("""{"Namespace":""}""");
        group["Tasks"]![0]!["Identity"] = JsonNode.Parse("""{"Name":"default","Audience":["nomadproject.io"],"Env":false,"File":false}""");
        group["Tasks"]![0]!["Templates"] = new JsonArray();
        group["Tasks"]![0]!["RestartPolicy"] = group["RestartPolicy"]!.DeepClone();

        ServerJobLint.Check(job.ToJsonString()).ShouldBeEmpty();
    }

    [Theory]
    [InlineData("1.1", """{"Namespace":""}""")]
    [InlineData("1.6", """{"Namespace":""}""")]
    [InlineData("1.7 to 1.9", """{"Namespace":"","Cluster":"default","Partition":""}""")]
    [InlineData("1.10 on", "null")]
    public void AcceptsTheConsulBlockThatNomadGivesEveryGroup(string nomad, string block)
    {
        var job = Sound();
        job["TaskGroups"]![0]!["Consul"] = JsonNode.Parse(block);

        ServerJobLint.Check(job.ToJsonString()).ShouldBeEmpty($"Nomad {nomad} has it so, and the count is raised on what Nomad has");
    }

    [Fact]
    public void AcceptsOurJobAsNomadTwoGivesItBack()
    {
        var job = Sound();
        foreach (var absent in new[] { "Affinities", "Spreads", "Multiregion", "Periodic", "ParameterizedJob", "Payload", "UI", "VersionTag" }) job[absent] = null;
        job["DispatchIdempotencyToken"] = "";
        var group = (JsonObject)job["TaskGroups"]![0]!;
        foreach (var absent in new[] { "Scaling", "Disconnect", "Consul", "Services", "Volumes", "ShutdownDelay", "MaxRunDuration", "StopAfterClientDisconnect", "MaxClientDisconnect" }) group[absent] = null;
        group["PreventRescheduleOnLost"] = false;
        var task = (JsonObject)group["Tasks"]![0]!;
        foreach (var absent in new[] { "Services", "Vault", "Secrets", "Consul", "Templates", "DispatchPayload", "Lifecycle", "Artifacts", "VolumeMounts", "ScalingPolicies", "CSIPluginConfig", "Identities", "Actions", "Schedule" }) task[absent] = null;
        task["Identity"] = JsonNode.Parse("""{"Name":"default","Audience":["nomadproject.io"],"ChangeMode":"","ChangeSignal":"","Env":false,"ExtraClaims":null,"File":false,"Filepath":"","ServiceName":"","TTL":0}""");
        task["RestartPolicy"] = group["RestartPolicy"]!.DeepClone();

        ServerJobLint.Check(job.ToJsonString()).ShouldBeEmpty();
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("job \"x\" {}")]
    [InlineData("{\"Type\":7}")]
    public void WhatIsNoJobIsRefusedToo(string text) => ServerJobLint.Check(text).ShouldContain(p => p.Code.StartsWith("job-lint/"));
}
