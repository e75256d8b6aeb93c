// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cli;
using Nomadstack.Doctor;
using Nomadstack.Node;

namespace Nomadstack.Tests.Cli;

/// <summary>A command line typed in a test: what was written, and how it ended.</summary>
internal sealed class Typed
{
    private readonly Dictionary<string, string> _variables = [];

    public Transcript Out { get; } = new();

    public Transcript Error { get; } = new();

    public bool Live { get; init; }

    public bool Unicode { get; init; }

    public int Width { get; init; } = 80;

    public bool AtATerminal { get; init; }

    public string Input { get; init; } = "";

    public string Self { get; init; } = Environment.ProcessPath!;

    public User User { get; init; } = new("root", true, 1024);

    public string? Alias { get; init; }

    public CancellationToken HardStop { get; init; }

    public Func<Uri, CancellationToken, Task<bool>> Listens { get; init; } = (_, _) => Task.FromResult(true);

    public Func<string, string?> Browse { get; init; } = _ => "this is a test";

    public ProgramImage? Became { get; private set; }

    public AgentOptions? Started { get; private set; }

    public Func<AgentOptions, bool, CancellationToken, Task<int>> Daemon { get; init; } = (_, _, _) => Task.FromResult(0);

    public string this[string variable]
    {
        init => _variables[variable] = value;
    }

    public Surroundings Here => new()
    {
        Out = Out,
        Error = Error,
        In = new StringReader(Input),
        RawOut = new TranscriptBytes(Out),
        RawError = new TranscriptBytes(Error),
        RawIn = () => new MemoryStream(System.Text.Encoding.UTF8.GetBytes(Input)),
        CanAsk = AtATerminal,
        Time = TimeProvider.System,
        Variable = name => _variables.GetValueOrDefault(name),
        LiveError = Live,
        LiveOut = Live,
        Unicode = Unicode,
        Width = Width,
        Listens = Listens,
        Self = Self,
        User = User,
        Alias = Alias,
        HardStop = HardStop,
        Browse = Browse,
        Become = image =>
        {
            Became = image;
            return 42;
        },
        Daemon = (options, up, cancel) =>
        {
            Started = options;
            return Daemon(options, up, cancel);
        },
    };

    /// <summary>Runs it, with a deadline that fails the test rather than hang it.</summary>
    public Task<int> RunAsync(params string[] args) => RunAsync(CancellationToken.None, args);

    public Task<int> RunAsync(CancellationToken interrupt, params string[] args) =>
        CommandLine.RunAsync(args, Here, interrupt).WaitAsync(TimeSpan.FromSeconds(20));
}
