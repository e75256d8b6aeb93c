// SPDX-License-Identifier: MPL-2.0
using System.Text;

namespace Nomadstack.Tests.Cli;

/// <summary>A transcript for what writes bytes.</summary>
internal sealed class TranscriptBytes(Transcript to) : MemoryStream
{
    public override void Write(ReadOnlySpan<byte> buffer) => to.Write(Encoding.UTF8.GetString(buffer));

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        Write(buffer.Span);
        return ValueTask.CompletedTask;
    }
}
