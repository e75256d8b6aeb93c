// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using Nomadstack.Cluster;
using Nomadstack.Nomad;

namespace Nomadstack.Cli.Job;

/// <summary>A job file as the API wants it: JSON as it is, HCL by way of the engine's own parser.</summary>
internal static class JobSource
{
    public static async Task<JsonElement> ReadAsync(string file, TextReader input, JobsApi jobs, CancellationToken cancel)
    {
        var text = await TextAsync(file, input, cancel);
        if (text.Trim().Length == 0)
            throw new ProblemException(new("job/invalid", $"{file} is empty.", "", "Name a file with a job in HCL or JSON, or - for standard input."));
        if (!text.AsSpan().TrimStart().StartsWith("{")) return await jobs.ParseAsync(text, cancel);
        try
        {
            using var document = JsonDocument.Parse(text, new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true });
            // Both forms are in use: the job itself, and the body of the API call with the job in it.
            return (document.RootElement.TryGetProperty("Job", out var job) ? job : document.RootElement).Clone();
        }
        catch (JsonException e)
        {
            throw new ProblemException(new("job/invalid", $"{file} begins as JSON does, and is none.", $"It cannot be read from line {e.LineNumber + 1} on.", "Correct the file and run it again; nothing was changed."), e);
        }
    }

    private static async Task<string> TextAsync(string file, TextReader input, CancellationToken cancel)
    {
        if (file == "-") return await input.ReadToEndAsync(cancel);
        if (!File.Exists(file))
            throw new ProblemException(new(ExitCode.UsagePrefix + "no-file", $"There is no file {file}.", "", "Name a file with a job in HCL or JSON, or - for standard input."));
        try
        {
            return await File.ReadAllTextAsync(file, cancel);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ProblemException(new(ExitCode.UsagePrefix + "no-file", $"{file} cannot be read.", e is UnauthorizedAccessException ? "Its permissions do not allow it." : "The disk or file system refused.", "Make it readable, or name another file."), e);
        }
    }
}
