// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging;
using Nomadstack.Cluster;
using Nomadstack.Processes;
using Nomadstack.Products;
using Nomadstack.Programs;

namespace Nomadstack.Node;

/// <summary>
/// Which file of a product this node runs. A node that is not a member runs what it finds. A member runs what it ran, whatever happened meanwhile to the file that
/// this came from: else one update of a package would change the programs of all nodes in one night, each at its next crash or boot.
/// </summary>
/// <param name="bundle">Where this binary's bundle was unpacked; null if it has none.</param>
internal sealed class ProgramKeeping(NodeContext context, ProgramProbe probe, OwnPrograms own, string? bundle)
{
    private readonly ILogger _log = context.Logs.CreateLogger<ProgramKeeping>();

    private bool IsMember => context.Membership.Self is { Removed: false };

    /// <summary>What a member runs, without a look at what else there is: at a cold boot every tenth of a second before a server starts is one without a quorum. Null where that is not settled.</summary>
    /// <param name="named">The file that an option names; null for none.</param>
    public async Task<ProgramFinding?> SettledAsync(Product product, string? named, CancellationToken cancel)
    {
        if (!IsMember) return null;
        if (own.Of(product) is not { } mine) return await RunningAsync(product, named, cancel);
        if (named is not null && named != mine.Named) return null;
        // A bundle is part of this program: who replaces the one replaces the other.
        if (bundle is not null && mine.Path.StartsWith(Path.GetDirectoryName(bundle) + "/", StringComparison.Ordinal) && File.Exists(Path.Combine(bundle, product.Program)))
            return Noted(product, mine, await probe.ProbeAsync(product, Path.Combine(bundle, product.Program), null, null, cancel));
        if (!File.Exists(mine.Path)) return await RestoreAsync(product, mine, cancel);
        if (!mine.IsCopy) return Noted(product, mine, await probe.ProbeAsync(product, mine.Path, null, null, cancel));
        if (ProgramStamp.Of(mine.Path) != mine.Stamp)
        {
            if (await Task.Run(() => OwnPrograms.Sum(mine.Path), cancel) != mine.Sha256) return await RestoreAsync(product, mine, cancel);
            own.Record(product, mine with { Stamp = ProgramStamp.Of(mine.Path)! });
        }

        return new ProgramFinding.Found(new(product.Name, mine.Path, [], SemVer.Parse(mine.Version)!) { Why = mine.Why });
    }

    /// <summary>Makes the program that was found this node's own. Where the disk does not allow a copy, it is used as it is.</summary>
    /// <param name="stamp">Its stamp before it was asked for its version.</param>
    public ProductProgram Keep(Product product, ProductProgram found, string stamp, string? named)
    {
        if (own.Of(product) is { } mine && (mine.Source, mine.SourceStamp) == (found.Path, stamp) && ProgramStamp.Of(mine.Path) == mine.Stamp)
        {
            own.Record(product, mine with { Why = found.Why, Named = named });
            return found with { Path = mine.Path };
        }

        try
        {
            var taken = own.Take(product, found, stamp) with { Named = named };
            own.Record(product, taken);
            return found with { Path = taken.Path };
        }
        catch (Exception e) when (Trouble.IsOfTheMachine(e))
        {
            _log.LogWarning("{Program} could not be copied into the data folder, and is used where it is: if it is replaced, the next start uses what replaced it. {Why}", found.Path, e.Message);
            return found with { Why = $"{found.Why}; there was no room for a copy" };
        }
    }

    /// <summary>For a member of an older release, which kept no copy: what runs, even if its file has been replaced since.</summary>
    private async Task<ProgramFinding?> RunningAsync(Product product, string? named, CancellationToken cancel)
    {
        foreach (var name in new[] { product.Name + "-server", product.Name + "-client" })
        {
            if (ProcessRecord.At(context.Paths.Processes, name).Read()?.Process is not { } process || !ProcFs.IsAlive(process) || ProcFs.Executable(process.Pid) is not { } file) continue;
            const string Gone = " (deleted)";
            // The kernel says so when the name leads to another file, or to none. What is there under its name is found as always.
            if (!file.EndsWith(Gone, StringComparison.Ordinal)) continue;
            var source = file[..^Gone.Length];
            if (named is not null && named != source) return null;
            var running = await new ProgramProbe(context.Time).ProbeAsync(product, $"/proc/{process.Pid}/exe", null, null, cancel);
            if (running is not ProgramFinding.Found { Program: var program }) continue;
            try
            {
                var taken = own.Take(product, program with { Why = "it runs" }, null) with { Source = source, Named = named };
                own.Record(product, taken);
                _log.LogInformation("{Source} was replaced while {Product} {Version} ran. This node goes on with what runs", source, product.Title, program.Version);
                return new ProgramFinding.Found(program with { Path = taken.Path, Why = taken.Why });
            }
            catch (Exception e) when (Trouble.IsOfTheMachine(e))
            {
                _log.LogWarning("The {Product} {Version} that runs, and whose file {Source} was replaced, could not be copied. {Why}", product.Title, program.Version, source, e.Message);
            }
        }

        return null;
    }

    /// <summary>What it ran is lost or damaged. The same version from anywhere will do; another one is nobody's wish.</summary>
    private async Task<ProgramFinding> RestoreAsync(Product product, OwnProgram mine, CancellationToken cancel)
    {
        foreach (var path in new[] { Path.Combine(context.Paths.Binaries, product.Name, mine.Version, product.Program), mine.Source, probe.Find(product) }.OfType<string>().Distinct())
        {
            var stamp = ProgramStamp.Of(path);
            if (stamp is null || await probe.ProbeAsync(product, path, null, null, cancel) is not ProgramFinding.Found { Program: var same } || same.Version.ToString() != mine.Version) continue;
            _log.LogWarning("{Lost} was lost or damaged. This node takes {Product} {Version} from {Path} again", mine.Path, product.Title, mine.Version, path);
            return new ProgramFinding.Found(Keep(product, same with { Why = mine.Why }, stamp, mine.Named));
        }

        return new ProgramFinding.Unusable(LoaderProblems.Lost(product, mine.Path, mine.Version));
    }

    private ProgramFinding Noted(Product product, OwnProgram mine, ProgramFinding finding)
    {
        if (finding is not ProgramFinding.Found { Program: var program }) return finding;
        var stamp = ProgramStamp.Of(program.Path) ?? "";
        own.Record(product, mine with { Version = program.Version.ToString(), Path = program.Path, Source = program.Path, Stamp = stamp, SourceStamp = stamp });
        return new ProgramFinding.Found(program with { Why = mine.Why });
    }
}
