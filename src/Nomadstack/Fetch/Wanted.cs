// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;

namespace Nomadstack.Fetch;

/// <summary>One product that was asked for.</summary>
/// <param name="Version">Null for the newest release.</param>
internal sealed record Wanted(Product Product, SemVer? Version)
{
    /// <param name="text">A product's name, with <c>@VERSION</c> or without.</param>
    /// <exception cref="ProblemException"><c>usage/product</c> or <c>usage/version</c>.</exception>
    public static Wanted Parse(string text, ProductTable table)
    {
        var at = text.IndexOf('@', StringComparison.Ordinal);
        var name = at < 0 ? text : text[..at];
        var product = table.Find(name)
            ?? throw new ProblemException(FetchProblems.UnknownProduct(name, table));
        if (at < 0) return new(product, null);
        return new(product, SemVer.Parse(text[(at + 1)..])
            ?? throw new ProblemException(FetchProblems.UnreadableVersion(name, text[(at + 1)..])));
    }
}
