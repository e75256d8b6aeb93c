// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;
using Nomadstack.Engine.Jobs;
using Shouldly;
using Xunit;

namespace Nomadstack.Engine.Tests.Jobs;

public sealed class HclJobTests
{
    /// <summary>What `nomad job init` writes down though it is the default.</summary>
    [Fact]
    public void AValueThatAsksForNothingIsRefusedNeitherInHclNorInJson() =>
        HclJob.Parse("job \"a\" {\n  update {\n    canary = 0\n    auto_revert = false\n    auto_promote = false\n  }\n  group \"g\" {\n    task \"t\" {\n      driver = \"raw_exec\"\n      user = \"\"\n      leader = false\n      shutdown_delay = \"0s\"\n    }\n  }\n}\n").ShouldBeOfType<HclReading.Read>();

    [Theory]
    [InlineData("variable \"x\" {}\n", "input.hcl:1,1-13: Not supported by the embedded engine; The embedded engine does not evaluate \"variable\" blocks; write the values themselves.")]
    [InlineData("locals {}\n", "1,1-7: Not supported")]
    [InlineData("job \"a\" {\n  periodic {\n    cron = \"* * * * *\"\n  }\n}\n", "2,3-11: Not supported by the embedded engine; \"periodic\" in a job")]
    [InlineData("job \"a\" {\n  group \"g\" {\n    task \"t\" {\n      template {}\n    }\n  }\n}\n", "4,7-15: Not supported by the embedded engine; \"template\" in a task")]
    [InlineData("job \"a\" {\n  update {\n    canary = 1\n  }\n}\n", "3,5-11: Not supported by the embedded engine; \"canary\" in a update")]
    [InlineData("job \"a\" {\n  flavour = \"mint\"\n}\n", "2,3-10: Unsupported argument; An argument named \"flavour\" is not expected here.")]
    [InlineData("job \"a\" {\n  topping \"x\" {}\n}\n", "2,3-14: Unsupported block type; Blocks of type \"topping\" are not expected here.")]
    [InlineData("job \"a\" {\n  name = upper(\"x\")\n}\n", "2,10-15: Not supported by the embedded engine; The embedded engine does not evaluate the function \"upper\"")]
    [InlineData("job \"a\" {\n  name = \"x-${var.y}\"\n}\n", "2,15-20: Not supported by the embedded engine; The embedded engine does not evaluate the variable \"var.y\"")]
    [InlineData("job \"a\" {\n  priority = 1 + 1\n}\n", "2,16-17: Not supported by the embedded engine; The embedded engine does not evaluate the operator \"+\"")]
    [InlineData("job \"a\" {\n  datacenters = [for d in x : d]\n}\n", "2,18-21: Not supported by the embedded engine; The embedded engine does not evaluate a \"for\" expression")]
    [InlineData("job \"a\" {\n  name = \"%{ if true }x%{ endif }\"\n}\n", "2,11-13: Not supported")]
    [InlineData("job \"a\" {\n  priority = \"high\"\n}\n", "2,14-20: Unsuitable value type; Unsuitable value: a whole number is required")]
    [InlineData("job \"a\" {\n  update {\n    stagger = \"soon\"\n  }\n}\n", "3,15-21: Unsuitable value type; Unsuitable duration value: time: invalid duration \"soon\"")]
    [InlineData("job \"a\" {\n  group \"g\" {\n", "2,3-12: Unclosed configuration block")]
    [InlineData("job \"a\" {\n  name = \"x\n}\n", "2,10-12: Invalid multi-line string")]
    [InlineData("job \"a\" { name = \"x\" type = \"batch\" }\n", "1,22-23: Invalid single-argument block definition")]
    [InlineData("job \"a\" {\n  name = \"x\"\n  name = \"y\"\n}\n", "3,3-7: Attribute redefined")]
    [InlineData("job \"a\" {\n  name = <<EOF\nx\n}\n", "2,10-12: Unterminated template string; No closing marker \"EOF\"")]
    [InlineData("job \"a\" \"b\" {\n}\n", "1,9-12: Extraneous label for job")]
    [InlineData("job \"a\" {}\njob \"b\" {}\n", "2,1-8: Duplicate job block")]
    [InlineData("", "input.hcl: Missing job block; A job block is required")]
    [InlineData("{\"job\": {}}", "HCL's JSON syntax is not read here")]
    public void RefusesByNameAndLine(string hcl, string complaint)
    {
        HclJob.Parse(hcl).ShouldBeOfType<HclReading.Refused>().Text.ShouldContain(complaint);
    }

    [Fact]
    public void TellsAllComplaintsAboutFieldsAtOnce()
    {
        var refused = HclJob.Parse("job \"a\" {\n  one = 1\n  group \"g\" {\n    two = 2\n    volume \"v\" {}\n  }\n}\n").ShouldBeOfType<HclReading.Refused>();

        refused.Complaints.Select(c => c.Where).ShouldBe(["input.hcl:2,3-6", "input.hcl:4,5-8", "input.hcl:5,5-15"]);
    }

    [Fact]
    public void KeepsReferencesForTheClientAsTheyWereWritten()
    {
        Meta("a = \"${ node.class }\"").ShouldBe("${ node.class }");
        Meta("a = \"x ${env[\"A\"]} ${NOMAD_META_x}\"").ShouldBe("x ${env[\"A\"]} ${NOMAD_META_x}");
        Meta("a = node.unique.name").ShouldBe("${node.unique.name}");
        Meta("a = \"$${not.mine}\"").ShouldBe("${not.mine}");
    }

    [Fact]
    public void UnindentsAHeredocByWhatItsLinesShare()
    {
        Meta("a = <<-E\n    one\n\n      two\n    E").ShouldBe("one\n\n  two\n");
        Meta("a = <<E\n  one \\n \"x\"\nE").ShouldBe("  one \\n \"x\"\n");
    }

    [Fact]
    public void TakesLineEndsFromWindows()
    {
        var read = HclJob.Parse("job \"a\" {\r\n  priority = 3\r\n}\r\n").ShouldBeOfType<HclReading.Read>();

        ((long)read.Job["Priority"]!).ShouldBe(3);
    }

    [Fact]
    public void SurvivesAnyTruncationAndAnyStrayCharacter()
    {
        var text = JobFiles.Web;
        for (var i = 0; i < text.Length; i++)
        {
            HclJob.Parse(text[..i]).ShouldBeOfType<HclReading.Refused>();
            HclJob.Parse(text.Insert(i, "}")).ShouldNotBeNull();
            HclJob.Parse(text.Insert(i, "\"")).ShouldNotBeNull();
        }
    }

    [Fact]
    public void RefusesNestingThatWouldEatTheStack()
    {
        HclJob.Parse("job \"a\" {\n  name = " + new string('[', 100_000)).ShouldBeOfType<HclReading.Refused>().Text.ShouldContain("Too deeply nested");
    }

    private static string Meta(string line)
    {
        var read = HclJob.Parse("job \"a\" {\n  meta {\n    " + line + "\n  }\n}\n");
        return read is HclReading.Read { Job: var job } ? (string)((JsonObject)job["Meta"]!)["a"]! : ((HclReading.Refused)read).Text;
    }
}
