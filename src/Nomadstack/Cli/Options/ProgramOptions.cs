// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using Nomadstack.Cluster;

namespace Nomadstack.Cli.Options;

/// <summary>An option for the program of each product that the stack runs.</summary>
internal sealed class ProgramOptions
{
    private readonly IReadOnlyList<(Product Product, Option<string?> File)> _options;

    /// <param name="suffix">What follows the product's name: <c>-program</c>.</param>
    /// <param name="purpose">What follows "The PROGRAM binary": <c>to use</c>.</param>
    public ProgramOptions(Command command, Surroundings here, string suffix, string purpose)
    {
        _options = [.. ProductTable.Known.Shown.Select(p => (p, Setting.Text(here, $"--{p.Name}{suffix}", "FILE", $"The {p.Program} binary {purpose}")))];
        foreach (var (_, option) in _options) command.Options.Add(option);
    }

    /// <summary>The files that were named, by product.</summary>
    public IReadOnlyDictionary<string, string> Read(ParseResult parse) =>
        _options.Select(o => (o.Product.Name, File: parse.GetValue(o.File))).Where(o => o.File is not null).ToDictionary(o => o.Name, o => o.File!);
}
