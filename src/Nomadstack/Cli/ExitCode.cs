// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Api;
using Nomadstack.Cluster;

namespace Nomadstack.Cli;

/// <summary>What the process returns. Scripts rely on these numbers.</summary>
internal static class ExitCode
{
    public const int Done = 0, Failed = 1, Usage = 2, NotInTime = 3, RefusedAsUnsafe = 4, AgentUnreachable = 5;

    /// <summary>128 + SIGINT, which shells use for an interrupted command.</summary>
    public const int Interrupted = 130;

    /// <summary>Codes with this prefix are errors in the command line itself.</summary>
    public const string UsagePrefix = "usage/";

    public const string TimedOutCode = "wait/timed-out";

    public static ProblemException WrongUsage(string what, string fix) => new(new(UsagePrefix + "wrong", what, "", fix));

    public static int Of(Problem problem) => problem.Code switch
    {
        AgentPresence.ProblemCode => AgentUnreachable,
        TimedOutCode or "agent/not-answering" => NotInTime,
        _ when problem.Unsafe => RefusedAsUnsafe,
        _ when problem.Code.StartsWith(UsagePrefix, StringComparison.Ordinal) => Usage,
        _ => Failed,
    };
}
