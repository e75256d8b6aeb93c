// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Nomadstack.Bundle;
using Nomadstack.Cli.Options;
using Nomadstack.Cli.Output;
using Nomadstack.Cluster;

namespace Nomadstack.Cli;

/// <summary><c>nomadstack bundle</c>: makes one file of this program and the Nomad and Consul that it runs.</summary>
internal sealed class BundleCommand : Command
{
    public BundleCommand(Surroundings here, GlobalOptions global)
        : base("bundle", "Make one file of this program, Nomad and Consul; the same input gives the same bytes")
    {
        var carried = new ProgramOptions(this, here, "", "to put into the bundle");
        var output = Setting.Text(here, "--output", "OUT", "The bundle to write");
        output.Aliases.Add("-o");
        Options.Add(output);
        SetAction(async (parse, cancel) =>
        {
            IReadOnlyList<(string Name, string File)> named = [.. carried.Read(parse).Select(p => (p.Key, p.Value))];
            if (named.Count == 0) throw ExitCode.WrongUsage("No program for the bundle was named.", $"Name one or more with {string.Join(", ", ProductTable.Known.Shown.Select(p => $"--{p.Name} FILE"))}.");
            var file = parse.GetValue(output) ?? throw ExitCode.WrongUsage("No output file was named.", "Name it with -o OUT.");
            if (!IsOneFile(here.Self))
                throw new ProblemException(BundleProblems.NotPublished(AppContext.BaseDirectory));
            if (named.FirstOrDefault(n => !File.Exists(n.File)) is { File: { } missing })
                throw new ProblemException(BundleProblems.NoFile(missing));
            Bundler.CheckMachines(here.Self, named);
            var progress = new ProgressWriter(here);
            var started = here.Time.GetTimestamp();
            try
            {
                List<(string, string, string)> programs = [];
                foreach (var (name, path) in named) programs.Add(await Bundler.AskAsync(ProductTable.Known[name], path, here.Time, cancel));
                var bundled = await Bundler.WriteAsync(here.Self, programs, file, step => progress.Waiting(step, here.Time.GetElapsedTime(started)), cancel);
                progress.Done($"{bundled.Path}: nomadstack, {string.Join(", ", bundled.Index.Programs.Select(p => $"{p.Name} {p.Version}"))}; {(bundled.Bytes >> 20).ToString(CultureInfo.InvariantCulture)} MiB", here.Time.GetElapsedTime(started));
                progress.Note($"SHA-256 {bundled.Sha256}");
                progress.Note("Each program keeps its own licence.");
                progress.Note("Nomad since 1.7, Consul since 1.17 and the 2024 releases of older lines are under BUSL-1.1. Read it before you give the file to others.");
                if (parse.GetValue(global.Json)) Answer.Json(here, new BundleDocument(1, bundled.Path, bundled.Bytes, bundled.Sha256, bundled.Index.Programs), BundleDocumentJson.Readable.BundleDocument);
                return ExitCode.Done;
            }
            catch (OperationCanceledException) when (cancel.IsCancellationRequested)
            {
                progress.Clear();
                progress.Note($"interrupted; {file} is unchanged");
                return ExitCode.Interrupted;
            }
            finally
            {
                progress.Clear();
            }
        });
    }

    /// <summary>A program that is not one file has its assembly beside it.</summary>
    private static bool IsOneFile(string self) => !File.Exists(Path.Combine(Path.GetDirectoryName(self)!, "nomadstack.dll")) && Path.GetFileName(self) != "dotnet";
}

/// <summary>What <c>bundle --json</c> prints.</summary>
internal sealed record BundleDocument(int Schema, string Path, long Bytes, string Sha256, IReadOnlyList<BundledProgram> Programs);

[JsonSourceGenerationOptions(GenerationMode = JsonSourceGenerationMode.Metadata, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(BundleDocument))]
internal sealed partial class BundleDocumentJson : JsonSerializerContext
{
    public static BundleDocumentJson Readable { get; } = new(new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });
}
