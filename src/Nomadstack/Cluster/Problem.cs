// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Cluster;

/// <summary>
/// A failure that an operator can meet, in three parts: what happened, why, and what to do.
/// </summary>
/// <param name="Code">Stable name, such as <c>join/wrong-token</c>; scripts may rely on it.</param>
/// <param name="What">What happened.</param>
/// <param name="Why">Why it happened.</param>
/// <param name="Fix">What the operator can do now.</param>
internal sealed record Problem(string Code, string What, string Why, string Fix)
{
    /// <summary>True if the command was refused to protect data (exit code 4), false for a plain failure (exit code 1).</summary>
    public bool Unsafe { get; init; }

    /// <summary>True if the same attempt can never succeed, so that it is not repeated automatically.</summary>
    public bool Lasting { get; init; }

    public override string ToString() => $"{What} {Why} {Fix}";
}

/// <summary>Carries a <see cref="Problem"/> to the edge (API or command line) that shows it.</summary>
internal sealed class ProblemException(Problem problem, Exception? inner = null) : Exception(problem.ToString(), inner)
{
    public Problem Problem { get; } = problem;
}

/// <summary>Failures of the machine that an operator can repair, as problems.</summary>
internal static class Trouble
{
    /// <summary>The disk, the kernel or a peer refused or did not answer. Any other exception is a bug.</summary>
    public static bool IsOfTheMachine(Exception e) => e is ProblemException or IOException or UnauthorizedAccessException or TimeoutException or System.ComponentModel.Win32Exception;

    /// <summary>The problem that an exception carries, or one made of its message.</summary>
    public static Problem Of(Exception e) => e is ProblemException { Problem: var problem }
        ? problem
        : new("machine/failed", "The system refused something that the agent needs.", e.Message.TrimEnd('.') + ".", "Check the disk, its free space and permissions, and the limit of open files. The agent tries again by itself.");
}
