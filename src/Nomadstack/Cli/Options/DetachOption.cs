// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;

namespace Nomadstack.Cli.Options;

/// <summary><c>--detach</c>: return once the work has started; the work goes on without the command.</summary>
internal sealed class DetachOption
{
    private readonly Option<bool> _detach;

    public DetachOption(Command command, Surroundings here)
    {
        _detach = Setting.Flag(here, "--detach", "Return once the work has started, do not follow it to its end");
        command.Options.Add(_detach);
    }

    public bool Read(ParseResult parse) => parse.GetValue(_detach);
}
