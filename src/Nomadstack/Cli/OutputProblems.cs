// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;

namespace Nomadstack.Cli;

/// <summary>What a command meets at its own end: of the machine it runs on, or of the file it writes to.</summary>
internal static class OutputProblems
{
    public static Problem NotWritten(string why) => new(
        "output/not-written",
        "The answer could not be written to standard output.",
        why,
        "The command itself has done its work; look with `nomadstack status` before you repeat it.");

    public static Problem OfTheMachine(Exception e) => new(
        "command/machine",
        "This machine refused something the command needs.",
        e.Message.TrimEnd('.') + ".",
        "Look at the disk, its space and its permissions; then run the command again.");
}
