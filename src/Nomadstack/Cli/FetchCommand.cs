// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using Nomadstack.Cli.Options;
using Nomadstack.Cli.Output;
using Nomadstack.Cluster;
using Nomadstack.Fetch;

namespace Nomadstack.Cli;

/// <summary><c>nomadstack fetch</c>: brings programs to this machine, checked. Needs no agent; the next agent finds them.</summary>
internal sealed class FetchCommand : Command
{
    private static readonly TimeSpan s_redraw = TimeSpan.FromMilliseconds(100);

    private readonly Surroundings _here;
    private readonly GlobalOptions _global;
    private readonly Argument<string[]> _products = new("PRODUCT[@VERSION]") { HelpName = "PRODUCT[@VERSION]", Arity = ArgumentArity.OneOrMore, Description = "nomad, consul, vault or openbao; the newest release unless a version is named" };
    private readonly Option<string?> _from, _key;

    public FetchCommand(Surroundings here, GlobalOptions global)
        : base("fetch", "Bring Nomad, Consul, Vault or OpenBao to this machine, signature checked")
    {
        (_here, _global) = (here, global);
        _from = Setting.Text(here, "--from", "URL|DIR", $"A mirror, or a folder with the files ({ReleaseSource.Default} unless given)");
        _key = Setting.Text(here, "--key", "FILE", "The OpenPGP public key of a mirror that signs itself (HashiCorp's unless given)");
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
            throw new ProblemException(new("fetch/no-source", $"{foreign.Product.Name} is not published at {ReleaseSource.Default}.", "Its makers publish it in another layout and with another key.", "Name a mirror or folder that has HashiCorp's layout with --from, and its key with --key."));
        var architecture = Fetcher.ArchitectureHere
            ?? throw new ProblemException(new("fetch/no-architecture", "Nothing is published for this machine's processor.", "Releases are for amd64 and arm64.", "Build the program yourself and name it with --nomad-program."));
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
                progress.Note("interrupted; the same command goes on where this one stopped");
                return ExitCode.Interrupted;
            }
            finally
            {
                progress.Clear();
            }

            // A file that grows is a line for every block: nothing for a log, and too much even for a terminal.
            void Show(FetchProgress now)
            {
                if (!_here.LiveError || (now.Bytes != now.Total && now.Step == lastStep && _here.Time.GetElapsedTime(lastShown) < s_redraw)) return;
                (lastStep, lastShown) = (now.Step, _here.Time.GetTimestamp());
                progress.Waiting(FetchLine.Of(now), _here.Time.GetElapsedTime(started));
            }
        }

        if (all.Any(f => f.Licence == "BUSL-1.1")) progress.Note("BUSL-1.1 is HashiCorp's Business Source License, not an open source one: read LICENSE.txt beside the program before you offer it to others.");
        if (parse.GetValue(_global.Json)) Answer.Json(_here, new FetchDocument(1, all), FetchJson.Readable.FetchDocument);
        return ExitCode.Done;
    }
}
