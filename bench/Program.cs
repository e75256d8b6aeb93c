// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using Nomadstack.Bench;
using Nomadstack.Cluster.Tests.Engines;
using Nomadstack.Cluster.Tests.Machines;

if (args is not [("cold-boot" or "rest" or "snapshot") and var what, .. var options])
{
    Console.Error.WriteLine("usage: bench/cold-boot [--rounds N] [--apart SECONDS] [--seed N] [--only plain|ours]\n       bench/rest [--seconds N] [--only plain|ours|embedded]\n       bench/snapshot [--mib N] [--seconds N]");
    return 2;
}

if (await Lab.WhyNotAsync() is { } whyNot) return Refuse(whyNot);
if (await RealEngines.FindAsync() is { Nomad: null } none) return Refuse(none.NoNomad!);

var sides = Option("--only", "") is { Length: > 0 } only ? [only] : what == "rest" ? ["plain", "ours", "embedded"] : new[] { "plain", "ours" };
var report = what == "cold-boot"
    ? await ColdBootBench.RunAsync(sides, Number("--rounds", 5), Number("--apart", 20), Number("--seed", Random.Shared.Next(10_000)))
    : what == "snapshot" ? await SnapshotBench.RunAsync(Number("--mib", 1024), Number("--seconds", 20))
    : await RestBench.RunAsync(sides, Number("--seconds", 60));
Console.Out.WriteLine(report);
return 0;

int Number(string name, int otherwise) => int.Parse(Option(name, otherwise.ToString(CultureInfo.InvariantCulture)), CultureInfo.InvariantCulture);

string Option(string name, string otherwise) => Array.IndexOf(options, name) is var at and >= 0 && at + 1 < options.Length ? options[at + 1] : otherwise;

static int Refuse(string reason)
{
    Console.Error.WriteLine($"bench: nothing measured: {reason}.");
    return 1;
}
