// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Programs;

namespace Nomadstack.Fetch;

/// <summary>What can be fetched: its name in the release layout, its program, and under which licence a version of it is given.</summary>
/// <param name="BusinessSince">
/// The first versions under HashiCorp's Business Source License, the newest line first: older lines came under it with their releases of 2024. Empty when there are none.
/// </param>
internal sealed record Product(string Name, string Program, params IReadOnlyList<SemVer> BusinessSince)
{
    public static IReadOnlyList<Product> All { get; } =
    [
        new("nomad", "nomad", new SemVer(1, 7, 0), new(1, 6, 6), new(1, 5, 13)),
        new("consul", "consul", new SemVer(1, 17, 0), new(1, 16, 5), new(1, 15, 9)),
        new("vault", "vault", new SemVer(1, 15, 0)),
        new("openbao", "bao"),
    ];

    /// <summary>True where HashiCorp itself publishes it, signed with its key.</summary>
    public bool IsHashiCorps => Name != "openbao";

    /// <summary>The licence's short name, as SPDX spells it where it has one.</summary>
    public string LicenceOf(SemVer version) => version.Metadata.Contains("ent", StringComparison.Ordinal)
        ? "HashiCorp enterprise licence"
        : IsBusiness(version) ? "BUSL-1.1" : "MPL-2.0";

    private bool IsBusiness(SemVer version) =>
        BusinessSince.Any(since => version >= since && (since == BusinessSince[0] || (version.Major, version.Minor) == (since.Major, since.Minor)))
        || BusinessSince.Count > 0 && version >= BusinessSince[0] with { PreRelease = "0" };
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
