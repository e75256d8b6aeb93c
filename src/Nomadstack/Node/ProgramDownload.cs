// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Fetch;
using Nomadstack.Storage;

namespace Nomadstack.Node;

/// <summary>
/// Fetches the newest release of a program that is not on this machine, with the checks of <c>nomadstack fetch</c>. Never fails: if there is no program, it returns
/// the reason, within seconds if there is no network.
/// </summary>
/// <param name="from">See <see cref="AgentOptions.FetchFrom"/>.</param>
/// <param name="key">Read only when something is fetched: at a cold boot, reading a key would take longer than everything else before the first server.</param>
internal sealed class ProgramDownload(NodePaths paths, string? from, Func<ReleaseKey> key, Action<FetchProgress> progress, TimeProvider time)
{
    /// <summary>The value of <c>--fetch-from</c> that disables fetching.</summary>
    public const string Never = "never";

    private string? _noSource;

    /// <returns>What was fetched, or why nothing was.</returns>
    public async Task<(Fetched? Program, string WhyNot)> TryAsync(Product product, CancellationToken cancel)
    {
        if (from == Never) return (null, "fetching is disabled");
        if (Fetcher.ArchitectureHere is not { } architecture) return (null, "there is no release for this machine's processor");
        // Tried once: the second product is not worth another wait.
        if (_noSource is not null) return (null, _noSource);
        using var source = ReleaseSource.At(from ?? ReleaseSource.Default, time);
        try
        {
            return (await new Fetcher(paths, source, key(), architecture).FetchAsync(new Wanted(product, null), progress, cancel), "");
        }
        catch (ProblemException e)
        {
            var why = $"none could be fetched: {e.Problem.Why.TrimEnd('.')}";
            if (e.Problem.Code == "fetch/no-network") _noSource = why;
            return (null, why);
        }
    }
}
