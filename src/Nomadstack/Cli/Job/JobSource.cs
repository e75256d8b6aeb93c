// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using Nomadstack.Cluster;

namespace Nomadstack.Cli.Job;

/// <summary>A job file in the form the API wants. JSON is sent as it is; HCL goes through the engine's own parser.</summary>
internal static class JobSource
{
    public static async Task<JsonElement> ReadAsync(string file, TextReader input, Func<string, CancellationToken, Task<JsonElement>> parse, CancellationToken cancel)
    {
        var text = await TextAsync(file, input, cancel);
        if (text.Trim().Length == 0)
            throw new ProblemException(JobProblems.Empty(file));
        if (!text.AsSpan().TrimStart().StartsWith("{"))
        {
            try
            {
                return await parse(text, cancel);
            }
            catch (ProblemException e) when (file != "-")
            {
                // The parser was given a text, and calls it so.
                throw new ProblemException(e.Problem with { Why = e.Problem.Why.Replace("input.hcl:", file + ":", StringComparison.Ordinal) }, e);
            }
        }

        try
        {
            using var document = JsonDocument.Parse(text, new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true });
            // Both forms are in use: the job alone, and the body of the API call, which contains the job.
            return (document.RootElement.TryGetProperty("Job", out var job) ? job : document.RootElement).Clone();
        }
        catch (JsonException e)
        {
            throw new ProblemException(JobProblems.BadJson(file, e.LineNumber), e);
        }
    }

    private static async Task<string> TextAsync(string file, TextReader input, CancellationToken cancel)
    {
        if (file == "-") return await input.ReadToEndAsync(cancel);
        if (!File.Exists(file))
            throw new ProblemException(JobProblems.NoFile(file));
        try
        {
            return await File.ReadAllTextAsync(file, cancel);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ProblemException(JobProblems.Unreadable(file, e is UnauthorizedAccessException), e);
        }
    }
}
