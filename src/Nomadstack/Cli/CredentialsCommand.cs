// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using Nomadstack.Api;
using Nomadstack.Cli.Options;
using Nomadstack.Cli.Output;
using Nomadstack.Cluster;
using Nomadstack.Storage;

namespace Nomadstack.Cli;

/// <summary><c>nomadstack credentials create</c>: a folder that lets a person or a tool in from another machine, with the products' own command lines.</summary>
internal sealed class CredentialsCommand : Command
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    public CredentialsCommand(Surroundings here, GlobalOptions global)
        : base("create", "Make a folder with certificates and tokens for a person or a tool")
    {
        var name = new Argument<string>("NAME") { Description = "Whom they are for, as it appears in Nomad's and Consul's lists of tokens" };
        var role = Setting.OneOf(here, "--role", "What they allow: to see everything; also to run jobs, drain nodes and write keys; or anything", "read", "read", "operate", "admin");
        var ttl = Setting.Span(here, "--ttl", "How long they are valid, at most 24h (default: 8h)");
        var folder = Setting.Text(here, "--out", "DIR", "The folder to make (default: NAME)");
        folder.Aliases.Add("-o");
        Arguments.Add(name);
        foreach (var option in new Option[] { role, ttl, folder }) Options.Add(option);
        SetAction(async (parse, cancel) =>
        {
            using var agent = global.Client(parse);
            var path = Path.GetFullPath(parse.GetValue(folder) ?? parse.GetValue(name)!);
            if (File.Exists(path) || (Directory.Exists(path) && Directory.EnumerateFileSystemEntries(path).Any()))
                throw new ProblemException(CliProblems.FolderInUse(path));
            var made = await agent.MakeCredentialsAsync(new(parse.GetValue(name)!, parse.GetValue(role)!, parse.GetValue(ttl)?.TotalSeconds), cancel);
            Write(path, made.Files);
            if (parse.GetValue(global.Json)) Answer.Json(here, new CredentialsMade(made.Files.Keys.ToDictionary(f => f, f => Path.Combine(path, f)), made.ExpiresAt), ApiJson.Readable.CredentialsMade);
            else here.Out.WriteLine($"{path} is valid until {made.ExpiresAt:u}. Copy it to where it is needed, and there: . {Path.GetFileName(path)}/env");
            return ExitCode.Done;
        });
    }

    private static void Write(string folder, IReadOnlyDictionary<string, string> files)
    {
        try
        {
            DurableFolders.CreateOwn(folder);
            foreach (var (file, content) in files)
            {
                using var stream = new FileStream(Path.Combine(folder, Path.GetFileName(file)), new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = OwnerOnly });
                using var writer = new StreamWriter(stream);
                writer.Write(content);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ProblemException(CliProblems.FolderNotWritten(folder, e.Message), e);
        }
    }
}
