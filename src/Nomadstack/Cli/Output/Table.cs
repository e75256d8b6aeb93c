// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Cli.Output;

/// <summary>Columns as wide as their widest cell, with two spaces between them. People can read it and <c>awk</c> can cut it.</summary>
internal sealed class Table(params string[] head)
{
    private readonly List<string[]> _rows = [head];

    /// <summary>An empty cell is shown as a dash, so that every row has as many fields as the head.</summary>
    public void Row(params string[] cells) => _rows.Add([.. cells.Select(c => c.Length == 0 ? "-" : Prose.OneLine(c))]);

    public void WriteTo(TextWriter output)
    {
        var widths = head.Select((_, column) => _rows.Max(row => row[column].Length)).ToArray();
        foreach (var row in _rows) output.WriteLine(string.Join("  ", row.Select((cell, column) => cell.PadRight(widths[column]))).TrimEnd());
    }
}
