// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Driver;

/// <summary>Linux's signals by the names that <c>nomad alloc signal</c> takes. The numbers are those of x86 and ARM.</summary>
internal static class SignalNames
{
    private static readonly Dictionary<string, int> s_numbers = new(StringComparer.OrdinalIgnoreCase)
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

    public static int? Number(string name) => s_numbers.TryGetValue(name, out var number) ? number : null;
}
