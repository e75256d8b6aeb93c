// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;

namespace Nomadstack.Programs;

/// <summary>A program that is there, and what would load it is not.</summary>
internal static class LoaderProblems
{
    public static Problem Missing(Product product, string program, string loader) => new(
        $"engine/{product.Name}-loader-missing",
        $"{program} cannot be run.",
        $"It is started through {loader}, which is not on this machine.",
        "Install what provides that file: for ld-linux it is glibc, on Alpine Linux the package gcompat. Or use a build for this system.");
}
