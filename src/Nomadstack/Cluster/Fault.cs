// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics;

namespace Nomadstack.Cluster;

/// <summary>
/// Named points around every effect at which a test can kill this process, as a power cut would.
/// <c>NOMADSTACK_FAULT=before:NAME</c> or <c>after:NAME</c> kills the agent with SIGKILL at that point;
/// <c>trace:FILE</c> writes every passed point to a file instead, so that a test can cover exactly those.
/// </summary>
internal static class Fault
{
    private static readonly string? s_armed = Environment.GetEnvironmentVariable("NOMADSTACK_FAULT");

    /// <summary>What a test does at each point: null for nothing, or the exception with which the effect fails. It applies only to the test's own flow.</summary>
    public static AsyncLocal<Func<string, Exception?>?> Plan { get; } = new();

    /// <summary>Runs <paramref name="effect"/>, an act that may safely be repeated, between its two fault points.</summary>
    public static async Task AroundAsync(string name, Func<Task> effect)
    {
        At("before:" + name);
        await effect();
        At("after:" + name);
    }

    /// <summary>Dies or fails here if a test has armed this point; otherwise does nothing.</summary>
    public static void At(string point)
    {
        if (Plan.Value?.Invoke(point) is { } failure) throw failure;
        if (s_armed == point) Process.GetCurrentProcess().Kill();
        else if (s_armed?.StartsWith("trace:", StringComparison.Ordinal) == true) File.AppendAllText(s_armed["trace:".Length..], point + "\n");
    }
}
