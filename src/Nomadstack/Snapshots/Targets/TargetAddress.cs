// SPDX-License-Identifier: MPL-2.0
using System.Web;
using Nomadstack.Cluster;

namespace Nomadstack.Snapshots.Targets;

/// <summary>Where copies of snapshots go, as the setting says it.</summary>
internal abstract record TargetAddress
{
    private TargetAddress()
    {
    }

    /// <param name="Path">Absolute.</param>
    internal sealed record Folder(string Path) : TargetAddress;

    /// <param name="Prefix">Ends with a slash, or is empty.</param>
    /// <param name="Endpoint">The address of a server that is not Amazon's; null for Amazon's.</param>
    internal sealed record Bucket(string Name, string Prefix, Uri? Endpoint, string? Region) : TargetAddress;

    /// <summary>Reads <c>folder:/PATH</c> and <c>s3://BUCKET[/PREFIX][?endpoint=URL&amp;region=REGION]</c>, as the Go CDK writes the latter.</summary>
    /// <exception cref="ProblemException"><c>snapshot/bad-target</c>.</exception>
    public static TargetAddress Parse(string text)
    {
        const string Directory = "folder:", S3 = "s3";
        if (text.StartsWith(Directory + "/", StringComparison.Ordinal)) return new Folder(text[Directory.Length..]);
        if (text.Length == 0) throw Bad("An empty text", "no place for copies was given");
        if (!Uri.TryCreate(text, UriKind.Absolute, out var uri) || uri.Scheme != S3 || uri.Host.Length == 0 || uri.UserInfo.Length > 0 || uri.Fragment.Length > 0) throw Bad(text, "it is neither folder:/PATH nor s3://BUCKET/PREFIX");
        var options = HttpUtility.ParseQueryString(uri.Query);
        if (options.AllKeys.FirstOrDefault(key => key is not ("endpoint" or "region")) is { } unknown) throw Bad(text, $"it has the option {unknown}, and only endpoint and region are known");
        Uri? endpoint = null;
        if (options["endpoint"] is { } given && !(Uri.TryCreate(given, UriKind.Absolute, out endpoint) && endpoint is { Scheme: "http" or "https", PathAndQuery: "/" })) throw Bad(text, "the endpoint is no URL such as https://s3.example.org:9000");
        var prefix = Uri.UnescapeDataString(uri.AbsolutePath).Trim('/');
        return new Bucket(uri.Host, prefix.Length == 0 ? "" : prefix + "/", endpoint, options["region"]);
    }

    private static ProblemException Bad(string text, string why) => new(SnapshotProblems.BadTarget(text, why));
}
