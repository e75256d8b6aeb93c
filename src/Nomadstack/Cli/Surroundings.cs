// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cli.Output;
using Nomadstack.Doctor;
using Nomadstack.Node;

namespace Nomadstack.Cli;

/// <summary>Everything a command may touch of its own process, so that a test can replace it.</summary>
internal sealed record Surroundings
{
    /// <summary>Widest line, in columns, where the terminal's width is not known.</summary>
    public const int PlainWidth = 80;

    public required TextWriter Out { get; init; }
    public required TextWriter Error { get; init; }
    public required TextReader In { get; init; }
    public required TimeProvider Time { get; init; }

    /// <summary>Standard output and error for bytes that are somebody else's, as they are.</summary>
    public required Stream RawOut { get; init; }

    public required Stream RawError { get; init; }

    /// <summary>Opens standard input as it is, without what .NET does with the lines of a terminal.</summary>
    public required Func<Stream> RawIn { get; init; }

    /// <summary>The terminal, where standard input and output both are it; null elsewhere.</summary>
    public Terminal? Terminal { get; init; }

    /// <summary>A person sits there: standard input is a terminal, and so is standard error, on which questions are asked. Standard output may go anywhere.</summary>
    public bool CanAsk { get; init; }

    /// <summary>Reads an environment variable.</summary>
    public required Func<string, string?> Variable { get; init; }

    /// <summary>Standard error (or standard output) is a terminal that understands control sequences.</summary>
    public bool LiveError { get; init; }

    public bool LiveOut { get; init; }

    /// <summary>The terminal or file takes UTF-8.</summary>
    public bool Unicode { get; init; }

    public int Width { get; init; } = PlainWidth;

    /// <summary>The file this process was started from.</summary>
    public string Self { get; init; } = Environment.ProcessPath!;

    public User User { get; init; } = User.OfThisProcess();

    /// <summary>The alias that makes <c>nomadstack</c> mean this program in the user's shell; null where it already does.</summary>
    public string? Alias { get; init; }

    /// <summary>Why something written to <see cref="Out"/> was lost, or null.</summary>
    public Func<string?> OutLost { get; init; } = () => null;

    /// <summary><see cref="Out"/> is a pipe that nobody reads any more.</summary>
    public Func<bool> NobodyReads { get; init; } = () => false;

    /// <summary>There is no reason to write on. What was lost is told, and decides the exit code, where the command ends.</summary>
    public bool OutIsGone => NobodyReads() || OutLost() is not null;

    /// <summary>The second Ctrl-C.</summary>
    public CancellationToken HardStop { get; init; }

    /// <summary>Whether anybody listens at an address.</summary>
    public Func<Uri, CancellationToken, Task<bool>> Listens { get; init; } = Output.Listening.AtAsync;

    /// <summary>Opens an address in the user's browser. Returns why not, or null.</summary>
    public Func<string, string?> Browse { get; init; } = address => Browser.Open(address, Environment.GetEnvironmentVariable("PATH") ?? "");

    /// <summary>Becomes another program; returns only in tests.</summary>
    public required Func<ProgramImage, int> Become { get; init; }

    /// <summary>The daemon. Arguments: its options, whether <c>up</c> asked for it, stop.</summary>
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
            RawOut = output,
            RawError = error,
            RawIn = Terminal.StandardInput,
            Terminal = Console.IsInputRedirected || Console.IsOutputRedirected ? null : new Terminal(),
            CanAsk = !Console.IsInputRedirected && !Console.IsErrorRedirected,
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

    /// <summary>Read from the locale: .NET reports UTF-8 even where the locale names no encoding.</summary>
    private static bool LocaleIsUtf8()
    {
        string?[] byRank = [Environment.GetEnvironmentVariable("LC_ALL"), Environment.GetEnvironmentVariable("LC_CTYPE"), Environment.GetEnvironmentVariable("LANG")];
        var locale = byRank.FirstOrDefault(v => !string.IsNullOrEmpty(v)) ?? "";
        return locale.Replace("-", "", StringComparison.Ordinal).EndsWith("UTF8", StringComparison.OrdinalIgnoreCase);
    }

    private static bool IsSet(string name) => !string.IsNullOrEmpty(Environment.GetEnvironmentVariable(name));
}
