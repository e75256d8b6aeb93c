// SPDX-License-Identifier: MPL-2.0
using System.Text;

namespace Nomadstack.Tests.Cli;

/// <summary>What a command has written so far; may be read while it still writes.</summary>
internal sealed class Transcript : TextWriter
{
    private readonly StringBuilder _text = new();

    public Transcript() => CoreNewLine = ['\n'];

    public override Encoding Encoding => Encoding.UTF8;

    public override void Write(char value)
    {
        lock (_text) _text.Append(value);
    }

    public override void Write(string? value)
    {
        lock (_text) _text.Append(value);
    }

    public override string ToString()
    {
        lock (_text) return _text.ToString();
    }
}
