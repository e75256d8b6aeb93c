// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using Nomadstack.Engine.Client;
using Nomadstack.Engine.Client.Plugins;
using Nomadstack.Ground.Protocol.Hcl;
using Shouldly;
using Xunit;

namespace Nomadstack.Engine.Tests.Client;

/// <summary>Complaints and bytes are those of HashiCorp's 1.1.2.</summary>
public sealed class ConfigDecoderTests
{
    private static readonly Spec s_command = Object(("command", Attr("command", "string", required: true)), ("args", Attr("args", "list(string)")));

    [Fact]
    public void Values_become_what_the_schema_wants()
    {
        var config = Decode("""{"command":"/bin/echo","args":[1,true,"x",2.5]}""", s_command);

        config["command"].ShouldBe("/bin/echo");
        config["args"].ShouldBe(new List<object?> { "1", "true", "x", "2.5" });
    }

    [Theory]
    [InlineData("""{"command":["/bin/echo"]}""", "Incorrect attribute value type: Inappropriate value for attribute \"command\": string required.")]
    [InlineData("""{"command":"x","foo":"y"}""", "Invalid label: No argument or block type is named \"foo\".")]
    [InlineData("""{"args":[]}""", "Missing required argument: The argument \"command\" is required, but no definition was found.")]
    [InlineData("""{"command":"x","args":"y"}""", "Incorrect attribute value type: Inappropriate value for attribute \"args\": list of string required.")]
    public void What_does_not_fit_is_refused_as_Nomad_does(string json, string complaint) =>
        Should.Throw<TaskConfigException>(() => Decode(json, s_command)).Message.ShouldBe($"2 errors occurred:\n\t* failed to parse config: \n\t* {complaint}\n\n");

    [Fact]
    public void All_complaints_come_at_once() => Should.Throw<TaskConfigException>(() => Decode("""{"a":1,"b":2}""", s_command)).Message.ShouldStartWith("4 errors occurred:");

    [Fact]
    public void Blocks_maps_defaults_and_literals_are_understood()
    {
        var schema = Object(
            ("roles", Attr("roles", "list(string)")),
            ("labels", new Spec { BlockAttrs = new() { Name = "labels", Type = "string" } }),
            ("limits", new Spec { BlockValue = new() { Name = "limits", Nested = Object(("files", Attr("files", "number"))) } }),
            ("mount", new Spec { BlockList = new() { Name = "mount", Nested = Object(("path", Attr("path", "string"))) } }),
            ("fast", new Spec { Default = new() { Primary = Attr("fast", "bool"), Default_ = new Spec { Literal = new() { Value = "true" } } } }));

        var config = Decode("""{"labels":[{"a":"b"}],"limits":[{"files":3}],"mount":[{"path":"/x"},{"path":"/y"}]}""", schema);

        config["roles"].ShouldBeNull();
        ((IReadOnlyDictionary<string, object?>)config["labels"]!)["a"].ShouldBe("b");
        ((IReadOnlyDictionary<string, object?>)config["limits"]!)["files"].ShouldBe(3L);
        ((IReadOnlyList<object?>)config["mount"]!).Count.ShouldBe(2);
        config["fast"].ShouldBe(true);
    }

    [Fact]
    public void Messages_are_packed_in_their_shortest_form()
    {
        var value = new Dictionary<string, object?> { ["n"] = 300L, ["b"] = true, ["a"] = null, ["m"] = -7L, ["s"] = new string('x', 40), ["l"] = new List<object?> { "y", 5L }, ["f"] = 0.5 };

        Convert.ToHexStringLower(MsgpackWriter.Write(value)).ShouldBe(
            "87" + "a161c0" + "a162c3" + "a166cb3fe0000000000000" + "a16c92a17905" + "a16df9" + "a16ecd012c" + "a173d928" + string.Concat(Enumerable.Repeat("78", 40)));
    }

    private static IReadOnlyDictionary<string, object?> Decode(string json, Spec schema) => ConfigDecoder.Decode(JsonDocument.Parse(json).RootElement, schema, t => t);

    private static Spec Attr(string name, string type, bool required = false) => new() { Attr = new() { Name = name, Type = type, Required = required } };

    private static Spec Object(params (string Name, Spec Spec)[] attributes)
    {
        var spec = new Spec { Object = new() };
        foreach (var (name, nested) in attributes) spec.Object.Attributes[name] = nested;
        return spec;
    }
}
