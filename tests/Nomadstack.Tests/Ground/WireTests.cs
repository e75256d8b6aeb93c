// SPDX-License-Identifier: MPL-2.0
using System.IO.Compression;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Nomadstack.Ground.Protocol;
using Nomadstack.Ground.Protocol.Hcl;
using Nomadstack.Tests.Products;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Ground;

/// <summary>
/// Driver and engine share their messages, so a wrong number would be wrong on both sides and nobody would notice. HashiCorp's program carries the descriptions
/// of its own messages: ours are held against those.
/// </summary>
public sealed class WireTests
{
    private static readonly FileDescriptor[] s_ours =
        [BaseReflection.Descriptor, DriverReflection.Descriptor, HclspecReflection.Descriptor, AttributeReflection.Descriptor, RecoverableErrorReflection.Descriptor];

    [SkippableFact]
    public void EveryFieldAndValueThatNomadHasTooIsTheSameOnTheWire()
    {
        Skip.IfNot(RealAgent.Has("nomad"), "no nomad program on PATH");
        var theirs = Facts(DescribedIn(File.ReadAllBytes(RealAgent.Find("nomad")!)));
        var ours = Facts(s_ours.Select(file => file.ToProto()));

        var known = ours.Where(fact => theirs.ContainsKey(fact.Key)).ToList();

        known.Count.ShouldBeGreaterThan(150);
        known.Where(fact => theirs[fact.Key] != fact.Value).Select(fact => $"{fact.Key}: {fact.Value}, Nomad's is {theirs[fact.Key]}").ShouldBeEmpty();
        // What this Nomad does not have came with a later one; a message that it has under no name of ours would be a slip of the pen.
        ours.Keys.Where(key => key.Number == 1 && !theirs.ContainsKey(key)).Select(key => key.Message).Except(theirs.Keys.Select(key => key.Message)).ShouldBeEmpty();
    }

    [SkippableFact]
    public void EveryMethodThatNomadHasTooIsTheSameOnTheWire()
    {
        Skip.IfNot(RealAgent.Has("nomad"), "no nomad program on PATH");
        var theirs = Methods(DescribedIn(File.ReadAllBytes(RealAgent.Find("nomad")!)));
        var ours = Methods([.. s_ours.Append(GopluginReflection.Descriptor).Select(file => file.ToProto())]);

        // Init and Shutdown came with 2.0.4.
        ours.Keys.Except(theirs.Keys).Except(["hashicorp.nomad.plugins.drivers.proto.Driver/Init", "hashicorp.nomad.plugins.drivers.proto.Driver/Shutdown"]).ShouldBeEmpty();
        ours.Where(method => theirs.TryGetValue(method.Key, out var same) && same != method.Value).Select(method => $"{method.Key}: {method.Value}, Nomad's is {theirs[method.Key]}").ShouldBeEmpty();
    }

    private static Dictionary<string, string> Methods(IEnumerable<FileDescriptorProto> files)
    {
        var methods = new Dictionary<string, string>();
        foreach (var file in files)
        {
            foreach (var service in file.Service)
            {
                foreach (var method in service.Method)
                    methods[$"{file.Package}.{service.Name}/{method.Name}"] = $"{method.InputType} {(method.ClientStreaming ? "stream" : "one")} to {method.OutputType} {(method.ServerStreaming ? "stream" : "one")}";
            }
        }

        return methods;
    }

    /// <summary>What a field or an enum's value is, by the message or enum it belongs to and its number.</summary>
    private static Dictionary<(string Message, int Number), string> Facts(IEnumerable<FileDescriptorProto> files)
    {
        var facts = new Dictionary<(string, int), string>();
        foreach (var file in files)
        {
            foreach (var message in file.MessageType) Add("." + file.Package, message);
            foreach (var values in file.EnumType) AddValues("." + file.Package, values);
        }

        return facts;

        void Add(string scope, DescriptorProto message)
        {
            var name = $"{scope}.{message.Name}";
            foreach (var field in message.Field) facts[(name, field.Number)] = $"{field.Label} {field.Type} {field.TypeName} {field.Name}";
            foreach (var nested in message.NestedType) Add(name, nested);
            foreach (var values in message.EnumType) AddValues(name, values);
        }

        void AddValues(string scope, EnumDescriptorProto values)
        {
            foreach (var value in values.Value) facts[($"{scope}.{values.Name}", value.Number)] = value.Name;
        }
    }

    /// <summary>Go's generated code keeps each file's description as gzip, wherever the linker put it.</summary>
    private static List<FileDescriptorProto> DescribedIn(byte[] program)
    {
        var found = new List<FileDescriptorProto>();
        ReadOnlySpan<byte> gzip = [0x1f, 0x8b, 8];
        for (var at = 0; program.AsSpan(at).IndexOf(gzip) is >= 0 and var next; at += next + gzip.Length)
        {
            try
            {
                using var unpacked = new GZipStream(new MemoryStream(program, at + next, Math.Min(program.Length - at - next, 64 * 1024)), CompressionMode.Decompress);
                if (FileDescriptorProto.Parser.ParseFrom(unpacked) is { Name: var name } file && name.EndsWith(".proto", StringComparison.Ordinal)) found.Add(file);
            }
            catch (Exception e) when (e is InvalidDataException or InvalidProtocolBufferException)
            {
                // Other bytes that begin alike.
            }
        }

        return found;
    }
}
