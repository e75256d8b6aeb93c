// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Serialization;

namespace Nomadstack.Nomad;

/// <summary>What both sides of an <c>exec</c> say; absent is what a message does not say.</summary>
internal sealed record ExecMessage
{
    public ExecBytes? Stdin { get; init; }

    public ExecBytes? Stdout { get; init; }

    public ExecBytes? Stderr { get; init; }

    public TerminalSize? TtySize { get; init; }

    public bool Exited { get; init; }

    public ExecResult? Result { get; init; }
}

internal sealed record ExecBytes
{
    public byte[]? Data { get; init; }

    public bool Close { get; init; }
}

internal sealed record TerminalSize(int Height, int Width);

internal sealed record ExecResult(int ExitCode);

[JsonSerializable(typeof(ExecMessage))]
[JsonSerializable(typeof(string[]))]
[JsonSourceGenerationOptions(
    GenerationMode = JsonSourceGenerationMode.Metadata,
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault)]
internal sealed partial class ExecJson : JsonSerializerContext;
