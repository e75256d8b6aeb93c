// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Fetch;
using Nomadstack.Storage;

namespace Nomadstack.Node;

/// <summary>
/// Brings the newest release of a program that no place of this machine has, checked as <c>nomadstack fetch</c> checks it. Never fails: what cannot be had has
/// a reason, told within seconds where there is no network.
/// </summary>
/// <param name="from">As <see cref="AgentOptions.FetchFrom"/>.</param>
/// <param name="key">Asked for only when something is fetched: reading a key costs a cold boot more than all else before its first server.</param>
internal sealed class ProgramDownload(NodePaths paths, string? from, Func<ReleaseKey> key, Action<FetchProgress> progress, TimeProvider time)
{
    /// <summary>What <c>--fetch-from</c> is given to forbid it.</summary>
    public const string Never = "never";

    private string? _noSource;

    /// <returns>What was fetched, or else why nothing was.</returns>
    public async Task<(Fetched? Program, string WhyNot)> TryAsync(Product product, CancellationToken cancel)
    {
        if (from == Never) return (null, "none is to be fetched");
        if (Fetcher.ArchitectureHere is not { } architecture) return (null, "none is published for this machine's processor");
        // Asked once: the second product is not worth another wait.
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
