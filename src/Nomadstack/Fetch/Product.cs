// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Engines;

namespace Nomadstack.Fetch;

/// <summary>What can be fetched: its name in the release layout, its program, and under which licence a version of it is given.</summary>
/// <param name="BusinessSince">The first version under HashiCorp's Business Source License; null when there is none.</param>
internal sealed record Product(string Name, string Program, SemVer? BusinessSince)
{
    public static IReadOnlyList<Product> All { get; } =
    [
        new("nomad", "nomad", new(1, 7, 0)),
        new("consul", "consul", new(1, 17, 0)),
        new("vault", "vault", new(1, 15, 0)),
        new("openbao", "bao", null),
    ];

    /// <summary>True where HashiCorp itself publishes it, signed with its key.</summary>
    public bool IsHashiCorps => Name != "openbao";

    /// <summary>The licence's short name, as SPDX spells it where it has one.</summary>
    public string LicenceOf(SemVer version) => version.Metadata.Contains("ent", StringComparison.Ordinal)
        ? "HashiCorp enterprise licence"
        : BusinessSince is { } since && version >= since with { PreRelease = "0" } ? "BUSL-1.1" : "MPL-2.0";
}

/// <summary>One thing asked for.</summary>
/// <param name="Version">Null for the newest release.</param>
internal sealed record Wanted(Product Product, SemVer? Version)
{
    /// <param name="text"><c>nomad</c> or <c>nomad@1.10.5</c>.</param>
    /// <exception cref="ProblemException"><c>usage/product</c> or <c>usage/version</c>.</exception>
    public static Wanted Parse(string text)
    {
        var at = text.IndexOf('@', StringComparison.Ordinal);
        var name = at < 0 ? text : text[..at];
        var product = Product.All.FirstOrDefault(p => p.Name == name)
            ?? throw new ProblemException(new("usage/product", $"\"{name}\" cannot be fetched.", "", $"Name one of {string.Join(", ", Product.All.Select(p => p.Name))}, with a version if you like: nomad@1.10.5."));
        if (at < 0) return new(product, null);
        return new(product, SemVer.Parse(text[(at + 1)..])
            ?? throw new ProblemException(new("usage/version", $"\"{text[(at + 1)..]}\" is no version.", "", $"Write it as the product does: {name}@1.10.5, or leave it away for the newest.")));
    }
}
