// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging;
using Nomadstack.Cluster;
using Nomadstack.Processes;
using Nomadstack.Products;
using Nomadstack.Programs;

namespace Nomadstack.Node;

/// <summary>
/// Programs that this node could run and does not: a package manager's update is an offer, which somebody takes with <c>nomadstack program use</c>. Also checks that
/// the copies are still what was copied, and removes those that nothing uses.
/// </summary>
/// <param name="probe">Looks where the start of a new node would.</param>
internal sealed class ProgramOffers(NodeContext context, AgentOptions options, NodePrograms programs, ProgramProbe probe, OwnPrograms own) : IDisposable
{
    private readonly ILogger _log = context.Logs.CreateLogger<ProgramOffers>();
    private readonly Dictionary<string, (string Path, string Stamp, OwnProgram Mine)> _seen = [];
    private readonly HashSet<string> _checked = [];

    /// <summary>One at a time: what is removed must not be what is being taken.</summary>
    private readonly SemaphoreSlim _turn = new(1, 1);

    /// <summary>One look. Cheap while no file changes.</summary>
    public async Task LookAsync(CancellationToken cancel)
    {
        await _turn.WaitAsync(cancel);
        try
        {
            await LookAloneAsync(cancel);
        }
        catch (IOException e)
        {
            // It is replaced at this moment, or its disk does not answer: the next look tells.
            _log.LogWarning("The programs on this machine cannot be looked at now. {Why}", e.Message);
        }
        finally
        {
            _turn.Release();
        }
    }

    private async Task LookAloneAsync(CancellationToken cancel)
    {
        if (context.Membership.Self is not { Removed: false }) return;
        foreach (var product in context.Table.Shown)
        {
            if (programs.Find(product) is not { Kind: not EngineKind.Embedded } || own.Of(product) is not { } mine) continue;
            await CheckOnceAsync(product, mine, cancel);
            var found = options.Named(product) ?? probe.Find(product);
            if (found is null || ProgramStamp.Of(found) is not { } stamp)
            {
                programs.Offers.TryRemove(product.Name, out _);
                continue;
            }

            if (_seen.GetValueOrDefault(product.Name) == (found, stamp, mine)) continue;
            if (await OfferAsync(product, mine, found, stamp, cancel) is not { } offer)
            {
                programs.Offers.TryRemove(product.Name, out _);
            }
            else if (programs.Offers.GetValueOrDefault(product.Name) != offer)
            {
                programs.Offers[product.Name] = offer;
                _log.LogWarning("{Path} is {Product} {Version} now. This node goes on with {Own}. `nomadstack program use {Name}` takes the other one", offer.Path, product.Title, offer.Version, mine.Version, product.Name);
            }

            _seen[product.Name] = (found, stamp, mine);
        }
    }

    /// <summary>Makes this node's processes use another program from their next start on.</summary>
    /// <param name="file">The program; null for the one that is offered.</param>
    /// <returns>The program and what was used before.</returns>
    /// <exception cref="ProblemException"><c>engine/*</c>: it cannot be used, or none is offered. Nothing has changed then.</exception>
    public async Task<(ProductProgram Now, ProductProgram Before)> UseAsync(Product product, string? file, CancellationToken cancel)
    {
        await _turn.WaitAsync(cancel);
        try
        {
            return await UseAloneAsync(product, file, cancel);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Removes the copies that no record, no process and no task's executor uses any more.</summary>
    public async Task RemoveUnusedAsync(CancellationToken cancel)
    {
        await _turn.WaitAsync(cancel);
        try
        {
            foreach (var folder in own.RemoveUnused(Used)) _log.LogInformation("{Folder} was used by nothing any more and was deleted", folder);
        }
        finally
        {
            _turn.Release();
        }
    }

    public void Dispose() => _turn.Dispose();

    private async Task<(ProductProgram Now, ProductProgram Before)> UseAloneAsync(Product product, string? file, CancellationToken cancel)
    {
        if (programs.Find(product) is not { } before) throw new ProblemException(ProgramProblems.None(product));
        if (before.Kind == EngineKind.Embedded) throw new ProblemException(ProgramProblems.OtherEngine(EngineKind.Embedded, product.Name));
        await LookAloneAsync(cancel);
        var path = file ?? programs.Offers.GetValueOrDefault(product.Name)?.Path ?? throw new ProblemException(ProgramProblems.NothingOffered(product, before));
        var stamp = ProgramStamp.Of(path);
        var found = (await probe.ProbeAsync(product, path, null, null, cancel)).OrThrow() with { Why = file is null ? InstalledPrograms.Origin(context.Paths, path) : "named" };
        OwnProgram taken;
        try
        {
            taken = await Task.Run(() => own.Take(product, found, stamp), cancel) with { Named = options.Named(product) };
            own.Record(product, taken);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ProblemException(ProgramProblems.NotCopied(product, path, e.Message), e);
        }

        var now = found with { Path = taken.Path };
        programs.Use(product, now);
        _log.LogInformation("From the next start of its processes on, this node uses {Product} {Version} from {Path} instead of {Before}", product.Title, now.Version, path, before.Version);
        return (now, before);
    }

    /// <summary>What the next starts use, and what runs: a client starts its tasks' executors from its own file.</summary>
    private IEnumerable<string> Used() =>
    [
        .. ProcessRecord.Names(context.Paths.Processes).Select(name => ProcessRecord.At(context.Paths.Processes, name).Read()?.Spec.Executable).OfType<string>(),
        .. ProcFs.Pids().Select(ProcFs.Executable).OfType<string>(),
    ];

    private async Task<ProgramOffer?> OfferAsync(Product product, OwnProgram mine, string found, string stamp, CancellationToken cancel)
    {
        if (found == mine.Path || (found, stamp) == (mine.Source, mine.SourceStamp)) return null;
        var finding = await probe.ProbeAsync(product, found, null, null, cancel);
        return finding is ProgramFinding.Found { Program: var other } && await Task.Run(() => mine.Differs(other), cancel) ? new(other.Version.ToString(), found) : null;
    }

    /// <summary>Once in an agent's life, and never before the servers run: reading 100 MB takes a tenth of a second.</summary>
    private async Task CheckOnceAsync(Product product, OwnProgram mine, CancellationToken cancel)
    {
        if (mine.Sha256.Length == 0 || !_checked.Add(mine.Path) || !File.Exists(mine.Path)) return;
        if (await Task.Run(() => OwnPrograms.Sum(mine.Path), cancel) != mine.Sha256) _log.LogError("{Problem}", LoaderProblems.Lost(product, mine.Path, mine.Version));
    }
}
