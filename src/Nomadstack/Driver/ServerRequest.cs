// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using System.Text.Json.Serialization;
using Grpc.Core;

namespace Nomadstack.Driver;

/// <summary>What a task's <c>config</c> block asks for: the server of a role, with or without a version. The role is always a known one.</summary>
internal sealed record ServerRequest(string Role, string? Version)
{
    /// <param name="roles">The known roles.</param>
    /// <exception cref="RpcException">The configuration does not match the schema, or the role is unknown. A restart would not help.</exception>
    public static ServerRequest Decode(ReadOnlySpan<byte> msgpack, IReadOnlyCollection<string> roles)
    {
        string? role = null, version = null;
        try
        {
            var reader = new Msgpack(msgpack);
            for (var left = reader.MapHeader(); left > 0; left--)
            {
                var at = reader.Position;
                switch (reader.String())
                {
                    case "role": role = reader.TryNil() ? null : reader.String(); break;
                    case "version": version = reader.TryNil() ? null : reader.String(); break;
                    case var other: throw new FormatException($"byte {at}: there is no attribute \"{other}\"");
                }
            }

            if (!reader.AtEnd) throw new FormatException($"byte {reader.Position}: {msgpack.Length - reader.Position} bytes too many");
        }
        catch (FormatException e)
        {
            throw new RpcException(new(StatusCode.InvalidArgument, $"The task's config cannot be read: {e.Message}. It has `role` and optionally `version`.", e));
        }

        return Checked(role, version, roles);
    }

    public static ServerRequest Checked(string? role, string? version, IReadOnlyCollection<string> roles) =>
        role is { Length: > 0 } && roles.Contains(role)
            ? new(role, version is { Length: > 0 } ? version : null)
            : throw new RpcException(new(StatusCode.InvalidArgument, (role is { Length: > 0 } ? $"There is no server role \"{role}\"." : "The task's config names no server role.")
                + $" Set `role` to one of: {string.Join(", ", roles.Order(StringComparer.Ordinal))}."));
}

/// <summary>What StartTask writes into Nomad's handle. Nomad never updates it, and a restored handle has no task config.</summary>
internal sealed record DriverState
{
    public int Schema { get; init; } = 1;
    public required string Role { get; init; }
    public string? Version { get; init; }
    public DateTimeOffset StartedAt { get; init; }

    public byte[] ToBytes() => JsonSerializer.SerializeToUtf8Bytes(this, DriverJson.Default.DriverState);

    /// <exception cref="RpcException">The bytes were not written by this driver.</exception>
    public static DriverState FromBytes(ReadOnlySpan<byte> bytes)
    {
        try
        {
            return JsonSerializer.Deserialize(bytes, DriverJson.Default.DriverState) ?? throw new JsonException("null");
        }
        catch (JsonException e)
        {
            throw new RpcException(new(StatusCode.InvalidArgument, $"The task's handle was not written by this driver: {e.Message}", e));
        }
    }
}

[JsonSourceGenerationOptions(GenerationMode = JsonSourceGenerationMode.Metadata, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(DriverState))]
internal sealed partial class DriverJson : JsonSerializerContext;
