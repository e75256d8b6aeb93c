// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;

namespace Nomadstack.Fetch;

internal static class FetchProblems
{
    public static Problem OlderList(string source, Product product, SemVer newest, SemVer here) => new(
        "fetch/older-list",
        $"{source} says that {product.Name} {newest} is the newest. {here} was fetched to this machine before.",
        "A list of versions is not signed. It may be out of date, or cut short by somebody who wants you to run an old version.",
        $"Use another source. Or name the version that you want: {product.Name}@{here}.") { Unsafe = true };
}
