// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging;
using Nomadstack.Bundle;
using Nomadstack.Cluster;
using Nomadstack.Fetch;
using Nomadstack.Products;
using Nomadstack.Programs;

namespace Nomadstack.Node;

/// <summary>
/// Which program provides each product on this node: the one that was named, or one that is found, or, for a new cluster, one that is fetched. The scheduler can also be
/// provided by this program itself.
/// </summary>
internal sealed class ProgramChoice(AgentOptions options, NodeContext context)
{
    private readonly ILogger _log = context.Logs.CreateLogger<ProgramChoice>();

    /// <exception cref="ProblemException"><c>engine/*</c>: a required program is missing or cannot be used.</exception>
    public async Task<(NodePrograms Programs, ProgramOffers Offers)> MakeAsync(CancellationToken cancel)
    {
        var (paths, cluster) = (context.Paths, context.Membership.Current);
        var bundle = await new BundleStore(paths, context.Time).UnpackAsync(Environment.ProcessPath!, cancel);
        var probe = new ProgramProbe(context.Time, new KnownPrograms(paths), product => InstalledPrograms.Folders(paths, product, bundle));
        var own = new OwnPrograms(paths);
        var keeping = new ProgramKeeping(context, probe, own, bundle);
        var download = new ProgramDownload(paths, options.FetchFrom, ReleaseKey.HashiCorp, options.Fetching ?? (_ => { }), context.Time);
        // An existing cluster has its programs and versions. Only a new one may take the newest, and a rehearsal needs none.
        var free = cluster is null && options.Join is null;
        Dictionary<string, IReadOnlyList<ProductProgram>> found = [];
        Dictionary<string, string> without = [];
        // The scheduler first: if its download fails, the others are not tried.
        foreach (var product in context.Table.Shown)
        {
            if (product.Schedules)
            {
                found[product.Name] = await SchedulerAsync(product, cluster?.Engine, () => LookAsync(product, free && options.Engine == AgentOptions.AnyEngine), probe, cancel);
                continue;
            }

            var wanted = cluster is null ? !options.Without.Contains(product.Name) : context.Products.Contains(product);
            if (!wanted)
            {
                without[product.Name] = cluster is null ? "it was not requested" : "this cluster was made without it";
                continue;
            }

            var (finding, why) = await LookAsync(product, free && options.Engine != AgentOptions.EmbeddedEngine);
            // A cluster with the product cannot run without its program. A new cluster can leave the product out if there is no program and none was named.
            if (finding is ProgramFinding.Missing && cluster is null && options.Named(product) is null) without[product.Name] = why;
            else found[product.Name] = [finding.OrThrow() with { Why = why }];
        }

        var programs = new NodePrograms(paths, context.Table, found, () => context.Membership.Current?.Engine) { Without = without };
        programs.RequireClusters();
        return (programs, new(context, options, programs, probe, own));

        async Task<(ProgramFinding Finding, string Why)> LookAsync(Product product, bool mayFetch)
        {
            var named = options.Named(product);
            // Its engine is this program itself, whose own upgrade is the operator's act: nothing else is run, so nothing else is kept.
            if (product.Schedules && cluster?.Engine == EngineKind.Embedded) return (await probe.ProbeAsync(product, named, null, null, cancel), named is null ? "installed" : "named");
            if (await keeping.SettledAsync(product, named, cancel) is { } settled) return (settled, (settled as ProgramFinding.Found)?.Program.Why ?? "");
            var path = named ?? probe.Find(product);
            var stamp = path is null ? null : ProgramStamp.Of(path);
            var finding = await probe.ProbeAsync(product, path, null, null, cancel);
            if (finding is ProgramFinding.Found { Program: var program })
            {
                var kept = keeping.Keep(product, program with { Why = named is null ? InstalledPrograms.Origin(paths, program.Path) : "named" }, stamp ?? "", named);
                return (new ProgramFinding.Found(kept), kept.Why);
            }

            if (finding is not ProgramFinding.Missing) return (finding, "");
            var why = $"no {product.Program} program was found";
            if (named is not null || !mayFetch) return (finding, why);
            var (fetched, whyNot) = await download.TryAsync(product, cancel);
            if (fetched is null) return (finding, $"{why}, and {whyNot}");
            _log.LogInformation("Fetched {Product} {Version}, licence {Licence}", fetched.Product, fetched.Version, fetched.Licence);
            why = $"fetched, {fetched.Licence}";
            stamp = ProgramStamp.Of(fetched.Path);
            var brought = await probe.ProbeAsync(product, fetched.Path, null, null, cancel);
            return (brought is ProgramFinding.Found { Program: var newest } ? new ProgramFinding.Found(keeping.Keep(product, newest with { Why = why }, stamp ?? "", null)) : brought, why);
        }
    }

    /// <summary>What could provide the scheduler here, the preferred one first: its own program if there is one, and otherwise this program itself.</summary>
    private async Task<IReadOnlyList<ProductProgram>> SchedulerAsync(Product product, string? ofCluster, Func<Task<(ProgramFinding Finding, string Why)>> look, ProgramProbe probe, CancellationToken cancel)
    {
        var named = options.Named(product);
        if (options.Engine == AgentOptions.EmbeddedEngine)
            return named is null ? [await EmbeddedAsync("requested")] : throw new ProblemException(ProgramProblems.TwoEngines(named));

        var (found, why) = await look();
        if (named is not null) return [found.OrThrow() with { Why = why }];
        if (options.Engine == AgentOptions.AnyEngine && found is ProgramFinding.Missing)
        {
            _log.LogInformation("The embedded engine provides {Product}: {Why}. It is for development, tests and rehearsals; for production use HashiCorp's", product.Title, why);
            return [await EmbeddedAsync(why)];
        }

        var program = found.OrThrow() with { Why = why };
        if (options.Engine == product.Name) return [program];
        if (ofCluster == EngineKind.Embedded) _log.LogInformation("This cluster was made with the embedded engine and keeps it, although a {Program} program was found", product.Program);
        // The cluster that it joins may have the other engine.
        return options.Join is not null || ofCluster == EngineKind.Embedded ? [program, await EmbeddedAsync("this cluster was made with it")] : [program];

        async Task<ProductProgram> EmbeddedAsync(string because) => (await probe.ProbeEmbeddedAsync(product, cancel)).OrThrow() with { Why = because };
    }
}
