// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;

namespace Nomadstack.Programs;

/// <summary>A program that is there and cannot be loaded, or is not what it was.</summary>
internal static class LoaderProblems
{
    public static Problem Missing(Product product, string program, string loader) => new(
        $"engine/{product.Name}-loader-missing",
        $"{program} cannot be run.",
        $"It is started through {loader}, which is not on this machine.",
        "Install what provides that file: for ld-linux it is glibc, on Alpine Linux the package gcompat. Or use a build for this system.");

    public static Problem Damaged(Product product, string program, string why) => new(
        $"engine/{product.Name}-damaged",
        $"{program} is not what was fetched.",
        $"Its disk lost part of it, or somebody changed it: {why}.",
        $"Run `nomadstack fetch {product.Name}@VERSION` for the same version: it is fetched anew. Nothing was started with it.")
    { Unsafe = true };

    public static Problem Lost(Product product, string program, string version) => new(
        $"engine/{product.Name}-lost",
        $"{program}, which this node runs, is missing or damaged.",
        $"Its disk lost it, or somebody changed it, and there is no other {product.Title} {version} here. Another version is not used unless somebody wants it.",
        $"Run `nomadstack fetch {product.Name}@{version}`: the agent then takes it from there. Or name the program to use with --{product.Name}-program.")
    { Unsafe = true };
}
