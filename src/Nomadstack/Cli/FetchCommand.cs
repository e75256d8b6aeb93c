// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using Nomadstack.Cli.Options;
using Nomadstack.Cli.Output;
using Nomadstack.Cluster;
using Nomadstack.Fetch;

namespace Nomadstack.Cli;

/// <summary><c>nomadstack fetch</c>: downloads programs and checks them. Needs no agent; the next agent finds them.</summary>
internal sealed class FetchCommand : Command
{
    private static readonly TimeSpan s_redraw = TimeSpan.FromMilliseconds(100);

    private readonly Surroundings _here;
    private readonly GlobalOptions _global;
    private readonly Argument<string[]> _products = new("PRODUCT[@VERSION]") { HelpName = "PRODUCT[@VERSION]", Arity = ArgumentArity.OneOrMore, Description = "nomad, consul, vault or openbao; the newest release if no version is named" };
    private readonly Option<string?> _from, _key;

    public FetchCommand(Surroundings here, GlobalOptions global)
        : base("fetch", "Download Nomad, Consul, Vault or OpenBao and check the signature")
    {
        (_here, _global) = (here, global);
        _from = Setting.Text(here, "--from", "URL|DIR", $"A mirror, or a folder with the files (default: {ReleaseSource.Default})");
        _key = Setting.Text(here, "--key", "FILE", "The OpenPGP public key of a mirror that signs its own releases (default: HashiCorp's)");
        _products.CompletionSources.Add([.. ProductTable.Known.Rows.Select(p => p.Name)]);
        Arguments.Add(_products);
        Options.Add(_from);
        Options.Add(_key);
        SetAction(RunAsync);
    }

    private async Task<int> RunAsync(ParseResult parse, CancellationToken cancel)
    {
        var wanted = parse.GetValue(_products)!.Select(w => Wanted.Parse(w, ProductTable.Known)).ToList();
        var (from, keyFile) = (parse.GetValue(_from), parse.GetValue(_key));
        if (from is null && wanted.FirstOrDefault(w => !w.Product.IsHashiCorps) is { } foreign)
            throw new ProblemException(FetchProblems.NoSource(foreign.Product));
        var architecture = Fetcher.ArchitectureHere
            ?? throw new ProblemException(FetchProblems.NoArchitecture());
        using var source = ReleaseSource.At(from ?? ReleaseSource.Default, _here.Time);
        var fetcher = new Fetcher(_global.Paths(parse), source, keyFile is null ? ReleaseKey.HashiCorp() : ReleaseKey.From(keyFile), architecture);
        var progress = new ProgressWriter(_here);
        List<Fetched> all = [];
        foreach (var one in wanted)
        {
            var started = _here.Time.GetTimestamp();
            var (lastStep, lastShown) = ("", 0L);
            try
            {
                var fetched = await fetcher.FetchAsync(one, Show, cancel);
                progress.Done($"{fetched.Product} {fetched.Version} ({fetched.Licence}) {(fetched.New ? "is now" : "was already")} {fetched.Path}", fetched.New ? _here.Time.GetElapsedTime(started) : null);
                all.Add(fetched);
            }
            catch (OperationCanceledException) when (cancel.IsCancellationRequested)
            {
                progress.Clear();
                progress.Note("interrupted; the same command continues where this one stopped");
                return ExitCode.Interrupted;
            }
            finally
            {
                progress.Clear();
            }

            // A growing file reports every block. That is too much for a log, and for a terminal if it is not slowed down.
            void Show(FetchProgress now)
            {
                if (!_here.LiveError || (now.Bytes != now.Total && now.Step == lastStep && _here.Time.GetElapsedTime(lastShown) < s_redraw)) return;
                (lastStep, lastShown) = (now.Step, _here.Time.GetTimestamp());
                progress.Waiting(FetchLine.Of(now), _here.Time.GetElapsedTime(started));
            }
        }

        if (all.Any(f => f.Licence == "BUSL-1.1")) progress.Note("BUSL-1.1 is HashiCorp's Business Source License. It is not an open source licence. Read LICENSE.txt beside the program before you offer it to others.");
        if (parse.GetValue(_global.Json)) Answer.Json(_here, new FetchDocument(1, all), FetchJson.Readable.FetchDocument);
        return ExitCode.Done;
    }
}
