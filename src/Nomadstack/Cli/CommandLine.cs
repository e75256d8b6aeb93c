// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using Nomadstack.Api;
using Nomadstack.Cli.Dev;
using Nomadstack.Cli.Job;
using Nomadstack.Cli.Node;
using Nomadstack.Cli.Options;
using Nomadstack.Cli.Output;
using Nomadstack.Cli.Token;
using Nomadstack.Cluster;
using Nomadstack.Dev;
using Nomadstack.Storage;

namespace Nomadstack.Cli;

/// <summary>The whole command line: what can be typed, and the one place where a problem becomes text and an exit code.</summary>
internal static class CommandLine
{
    public static async Task<int> RunAsync(IReadOnlyList<string> args, Surroundings here, CancellationToken cancel)
    {
        var global = new GlobalOptions(here);
        var root = Root(here, global);
        // No response files: "@x" is an ordinary argument for the programs that get our arguments.
        var parse = root.Parse(ProgramCommand.Guard(args), new ParserConfiguration { ResponseFileTokenReplacer = null, EnablePosixBundling = false });
        if (parse.Errors.Count > 0) return WrongUsage(parse, here, parse.Errors.All(e => e.SymbolResult != parse.GetResult(global.Json)) && parse.GetValue(global.Json));
        try
        {
            var code = await parse.InvokeAsync(
                new InvocationConfiguration { Output = here.Out, Error = here.Error, EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null },
                cancel);
            // What was asked for may be done, but whoever waits for the answer does not have it.
            return code == ExitCode.Done && here.OutLost() is { } why ? Answer.Problem(here, OutputProblems.NotWritten(why), json: false) : code;
        }
        catch (ProblemException e)
        {
            return Answer.Problem(here, InRoom(e.Problem, global.FolderPaths(parse)), parse.GetValue(global.Json));
        }
        catch (Exception e) when (Trouble.IsOfTheMachine(e))
        {
            return Answer.Problem(here, OutputProblems.OfTheMachine(e), parse.GetValue(global.Json));
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            here.Error.WriteLine("interrupted; the agent goes on with its work, see `nomadstack status`");
            return ExitCode.Interrupted;
        }
    }

    /// <summary>The agents of dev nodes are started together.</summary>
    private static Problem InRoom(Problem problem, NodePaths folder) => problem.Code == AgentPresence.ProblemCode && DevRoom.Find(folder) is not null
        ? problem with { Fix = $"Run `nomadstack dev power-on`, or start the nodes with `nomadstack up --dev-nodes N`. Give both --data-dir {folder.Data}." }
        : problem;

    internal static Command Root(Surroundings here, GlobalOptions global)
    {
        // A RootCommand takes the name by which this process was called. That may be a product's name, which is also a subcommand.
        var root = new Command(
            "nomadstack",
            "Turns Linux machines into a Nomad and Consul cluster that runs itself.\n\n"
            + "Every option is also an environment variable: --data-dir is NOMADSTACK_DATA_DIR.\n"
            + "Exit codes: 0 done, 1 failed, 2 usage, 3 not in time, 4 refused as unsafe, 5 agent not reachable.");
        root.Options.Add(new HelpOption());
        root.Options.Add(new VersionOption());
        root.Options.Add(global.DataDir);
        root.Options.Add(global.Json);
        foreach (var command in (Command[])
        [
            new UpCommand(here, global),
            new AgentCommand(here, global),
            new BootstrapCommand(here, global),
            new StatusCommand(here, global),
            new WaitCommand(here, global),
            new RecoverCommand(here, global),
            new RestoreCommand(here, global),
            new TimelineCommand(here, global),
            new ExplainCommand(here, global),
            new DrillCommand(here, global),
            new RotateCommand(here, global),
            new SecureCommand(here, global),
            new Command("credentials", "Let people and tools in from other machines") { new CredentialsCommand(here, global) },
            new Command("token", "Manage the tokens that let nodes join") { new CreateCommand(here, global), new Token.ListCommand(here, global), new RevokeCommand(here, global) },
            new Command("node", "Manage the nodes of the cluster") { new Node.ListCommand(here, global), new DrainCommand(here, global), new RemoveCommand(here, global), new AddressCommand(here, global) },
            new Command("snapshot", "Save, prove and restore the state of the whole cluster")
            {
                new Snapshot.SaveCommand(here, global), new Snapshot.ListCommand(here, global), new Snapshot.InspectCommand(here, global), new Snapshot.VerifyCommand(here, global),
                new Snapshot.RestoreCommand(here, global), new Snapshot.PruneCommand(here, global), new Snapshot.KeyCommand(here, global), new Snapshot.PolicyCommand(here, global),
            },
            new Command("kit", "Keep what a person needs when nothing runs") { new Kit.ExportCommand(here, global), new Kit.InspectCommand(here) },
            new Command("program", "Manage the programs that this node runs") { new Programs.UseCommand(here, global) },
            new Command("job", "Run, stop and show jobs through the Nomad API")
            {
                new RunCommand(here, global), new StopCommand(here, global), new Job.StatusCommand(here, global), new LogsCommand(here, global), new ExecCommand(here, global),
            },
            new Command("dev", "Cut and restore the power of the nodes of `up --dev-nodes`") { new KillCommand(here, global), new PowerCutCommand(here, global), new PowerOnCommand(here, global) },
            .. ProgramCommand.All(here, global),
            new EnvCommand(here, global),
            new UiCommand(here, global),
            new DoctorCommand(here, global),
            new MetricsCommand(here, global),
            new FetchCommand(here, global),
            new BundleCommand(here, global),
            new CompletionCommand(here),
            new CompleteCommand(here, root),
            new VersionCommand(here, global),
        ]) root.Subcommands.Add(command);
        // Without this, help in a file or a pager would have no line breaks.
        foreach (var help in root.Options.OfType<HelpOption>()) ((HelpAction)help.Action!).MaxWidth = here.Width;
        foreach (var version in root.Options.OfType<VersionOption>()) version.Action = new VersionAction(here);
        return root;
    }

    private static int WrongUsage(ParseResult parse, Surroundings here, bool json)
    {
        var command = parse.CommandResult;
        // A wrong word also makes the parser miss the command in its place. Only the word is worth an error.
        var unknown = parse.UnmatchedTokens.Count > 0;
        var errors = parse.Errors.Where(e => !unknown || e.SymbolResult != command || parse.UnmatchedTokens.Any(t => e.Message.Contains($"'{t}'", StringComparison.Ordinal)));
        var path = string.Join(' ', Path(command));
        if (!unknown && !json && command.Command.Subcommands.Count > 0)
            command.Command.Parse("--help").Invoke(new InvocationConfiguration { Output = here.Error, Error = here.Error });
        var meant = parse.UnmatchedTokens.SelectMany(word => Spelling.Nearest(word, Known(command))).Distinct().ToList();
        var fix = (meant.Count > 0 ? $"Did you mean {string.Join(" or ", meant)}? " : "") + $"See `{path} --help`.";
        return Answer.Problem(here, new Problem(ExitCode.UsagePrefix + "wrong", string.Join(" ", errors.Select(e => e.Message).Distinct()), "", fix), json);
    }

    private static IEnumerable<string> Path(SymbolResult? result) =>
        result is CommandResult { Parent: { } parent } command ? Path(parent).Append(command.Command.Name) : ["nomadstack"];

    private static IEnumerable<string> Known(CommandResult result) =>
        result.Command.Subcommands.Select(c => c.Name).Concat(result.Command.Options.Select(o => o.Name)).Concat(["--data-dir", "--json"]);

    private sealed class VersionAction(Surroundings here) : SynchronousCommandLineAction
    {
        public override int Invoke(ParseResult parseResult)
        {
            here.Out.WriteLine(Api.BuildVersion.Text);
            return ExitCode.Done;
        }
    }
}
