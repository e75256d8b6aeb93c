// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Nomadstack.Api;
using Nomadstack.Cluster;

namespace Nomadstack.Cli.Output;

/// <summary>How a command answers: one JSON document, and nothing else, on standard output; or a problem in three lines.</summary>
internal static class Answer
{
    public static void Json<T>(Surroundings here, T value, JsonTypeInfo<T> json)
    {
        here.Out.WriteLine(JsonSerializer.Serialize(value, json));
        here.Out.Flush();
    }

    /// <summary>Returns the exit code of the problem.</summary>
    public static int Problem(Surroundings here, Problem problem, bool json)
    {
        if (json) Json(here, problem, ApiJson.Readable.Problem);
        else
        {
            Line("error:", problem.What);
            Line("why:", problem.Why);
            Line("fix:", problem.Fix);
        }

        return ExitCode.Of(problem);

        // Not wrapped: the lines contain commands and paths to copy, and a terminal wraps by itself.
        void Line(string label, string text)
        {
            if (text.Length > 0) here.Error.WriteLine($"{label,-6} {Prose.OneLine(text)}");
        }
    }
}
