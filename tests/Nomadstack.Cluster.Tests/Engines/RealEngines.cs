// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster.Tests.Machines;

namespace Nomadstack.Cluster.Tests.Engines;

/// <summary>The real Nomad and Consul that tests run against, or the reason why there is none. Looked for once per run.</summary>
internal sealed record RealEngines(string? Nomad, string? NoNomad, string? Consul, string? NoConsul)
{
    private static readonly Lazy<Task<RealEngines>> s_found = new(LookAsync);

    public static Task<RealEngines> FindAsync() => s_found.Value;

    /// <summary>Programs a lab's nodes get on their PATH.</summary>
    public IReadOnlyList<Tool> Tools() =>
        [.. new[] { ("nomad", Nomad), ("consul", Consul) }.Where(tool => tool.Item2 is not null).Select(tool => new Tool(tool.Item1, tool.Item2!))];

    private static async Task<RealEngines> LookAsync()
    {
        var (nomad, noNomad) = Named("NOMADSTACK_NOMAD", "nomad");
        var (consul, noConsul) = Named("NOMADSTACK_CONSUL", "consul");
        if (consul is null && Environment.GetEnvironmentVariable("NOMADSTACK_CONSUL") is null) (consul, noConsul) = await DebianConsul.FetchAsync();
        return new(nomad, noNomad, consul, noConsul);
    }

    private static (string?, string?) Named(string variable, string program)
    {
        if (Environment.GetEnvironmentVariable(variable) is { Length: > 0 } given)
            return File.Exists(given) ? (given, null) : (null, $"{variable} names {given}, and there is no such file");
        return Command.Find(program) is { } found ? (found, null) : (null, $"no `{program}` on the PATH, and {variable} is not set");
    }
}
