// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Ground.Kernel;

/// <summary>Signals by the names that jobs and operators use; the numbers are those of x86-64 and arm64.</summary>
internal static class SignalNames
{
    public const int SIGINT = 2, SIGKILL = 9, SIGTERM = 15;

    private static readonly Dictionary<string, int> s_numbers = new(StringComparer.Ordinal)
    {
        ["SIGHUP"] = 1,
        ["SIGINT"] = 2,
        ["SIGQUIT"] = 3,
        ["SIGILL"] = 4,
        ["SIGTRAP"] = 5,
        ["SIGABRT"] = 6,
        ["SIGIOT"] = 6,
        ["SIGBUS"] = 7,
        ["SIGFPE"] = 8,
        ["SIGKILL"] = 9,
        ["SIGUSR1"] = 10,
        ["SIGSEGV"] = 11,
        ["SIGUSR2"] = 12,
        ["SIGPIPE"] = 13,
        ["SIGALRM"] = 14,
        ["SIGTERM"] = 15,
        ["SIGCHLD"] = 17,
        ["SIGCONT"] = 18,
        ["SIGSTOP"] = 19,
        ["SIGTSTP"] = 20,
        ["SIGTTIN"] = 21,
        ["SIGTTOU"] = 22,
        ["SIGURG"] = 23,
        ["SIGXCPU"] = 24,
        ["SIGXFSZ"] = 25,
        ["SIGPROF"] = 27,
        ["SIGWINCH"] = 28,
        ["SIGIO"] = 29,
        ["SIGSYS"] = 31,
    };

    public static IEnumerable<string> All => s_numbers.Keys;

    public static int? Number(string name) => s_numbers.TryGetValue(name, out var number) ? number : null;
}
