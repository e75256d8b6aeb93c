// SPDX-License-Identifier: MPL-2.0
using Google.Protobuf;

namespace Nomadstack.Driver;

/// <summary>The gRPC status codes this server sends; the numbers are the wire's.</summary>
internal enum GrpcCode
{
    Ok = 0,
    InvalidArgument = 3,
    NotFound = 5,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
}

/// <summary>Ends a call with a status other than OK. The detail, if any, travels as the first of the status's details.</summary>
internal sealed class GrpcException(GrpcCode code, string message, GrpcDetail? detail = null, Exception? inner = null) : Exception(message, inner)
{
    public GrpcCode Code { get; } = code;

    public GrpcDetail? Detail { get; } = detail;
}

/// <summary>A message with its full protobuf name, given by hand: asking the message for it would need reflection.</summary>
internal sealed record GrpcDetail(string FullName, IMessage Message);
