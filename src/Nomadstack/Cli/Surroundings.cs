// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cli.Output;
using Nomadstack.Doctor;
using Nomadstack.Node;

namespace Nomadstack.Cli;

/// <summary>All that a command may touch of the process it runs in, so that a test can put another one around it.</summary>
internal sealed record Surroundings
{
    /// <summary>Widest line written where the width of the terminal is not known.</summary>
    public const int PlainWidth = 80;

    public required TextWriter Out { get; init; }
    public required TextWriter Error { get; init; }
    public required TextReader In { get; init; }
    public required TimeProvider Time { get; init; }

    /// <summary>Reads an environment variable.</summary>
    public required Func<string, string?> Variable { get; init; }

    /// <summary>Standard error, respectively output, is a terminal that understands control sequences and may be sent some.</summary>
    public bool LiveError { get; init; }

    public bool LiveOut { get; init; }

    /// <summary>The terminal or file takes UTF-8.</summary>
    public bool Unicode { get; init; }

    public int Width { get; init; } = PlainWidth;

    /// <summary>The file this process was started from.</summary>
    public string Self { get; init; } = Environment.ProcessPath!;

    public User User { get; init; } = User.OfThisProcess();

    /// <summary>What makes the word <c>nomadstack</c> mean this program in a shell where it does not; null where it does.</summary>
    public string? Alias { get; init; }

    /// <summary>Why something written to <see cref="Out"/> was lost, or null.</summary>
    public Func<string?> OutLost { get; init; } = () => null;

    /// <summary><see cref="Out"/> is a pipe that nobody reads any more.</summary>
    public Func<bool> NobodyReads { get; init; } = () => false;

    /// <summary>The second Ctrl-C.</summary>
    public CancellationToken HardStop { get; init; }

    /// <summary>Becomes another program; returns only in tests.</summary>
    public required Func<ProgramImage, int> Become { get; init; }

    /// <summary>The daemon: options, whether it was asked for by <c>up</c>, stop.</summary>
    public required Func<AgentOptions, bool, CancellationToken, Task<int>> Daemon { get; init; }

    public static Surroundings OfThisProcess(CancellationToken hardStop)
    {
        var (output, error) = StandardStream.OfThisProcess();
        // Whoever writes to the console besides, as the agent's log does, must not die of it either.
        Console.SetOut(output.Writer());
        Console.SetError(error.Writer());
        var plain = IsSet("NO_COLOR") || Environment.GetEnvironmentVariable("TERM") is "dumb" or "" or null;
        return new Surroundings
        {
            Out = Console.Out,
            Error = Console.Error,
            In = Console.In,
            OutLost = () => output.Lost,
            NobodyReads = () => output.NobodyReads,
            Time = TimeProvider.System,
            Variable = Environment.GetEnvironmentVariable,
            LiveError = !plain && !Console.IsErrorRedirected,
            LiveOut = !plain && !Console.IsOutputRedirected,
            Unicode = LocaleIsUtf8(),
            Width = Console.IsErrorRedirected && Console.IsOutputRedirected ? PlainWidth : Math.Clamp(Console.WindowWidth, 40, 160),
            Alias = ShellAlias.For(Environment.ProcessPath!, Environment.GetEnvironmentVariable("PATH") ?? ""),
            HardStop = hardStop,
            Become = image => image.Execute(),
            Daemon = AgentProgram.RunAsync,
        };
    }

    /// <summary>By the locale itself: .NET says UTF-8 also where the locale names no encoding at all.</summary>
    private static bool LocaleIsUtf8()
    {
        string?[] byRank = [Environment.GetEnvironmentVariable("LC_ALL"), Environment.GetEnvironmentVariable("LC_CTYPE"), Environment.GetEnvironmentVariable("LANG")];
        var locale = byRank.FirstOrDefault(v => !string.IsNullOrEmpty(v)) ?? "";
        return locale.Replace("-", "", StringComparison.Ordinal).EndsWith("UTF8", StringComparison.OrdinalIgnoreCase);
    }

    private static bool IsSet(string name) => !string.IsNullOrEmpty(Environment.GetEnvironmentVariable(name));
}
