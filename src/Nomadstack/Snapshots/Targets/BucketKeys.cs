// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;

namespace Nomadstack.Snapshots.Targets;

/// <summary>What opens a bucket.</summary>
/// <param name="Token">For keys that end by themselves; null for others.</param>
internal sealed record BucketKeys(string Id, string Secret, string? Token)
{
    /// <summary>Reads a credentials file as all tools for S3 know it: the profile <c>default</c>, or lines without any profile.</summary>
    /// <exception cref="ProblemException"><c>snapshot/bad-credentials</c>.</exception>
    public static BucketKeys Parse(string text)
    {
        var values = new Dictionary<string, string>();
        var counts = true;
        foreach (var line in text.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            if (line[0] is '#' or ';') continue;
            if (line[0] == '[') counts = line == "[default]";
            else if (counts && line.Split('=', 2, StringSplitOptions.TrimEntries) is [var name, var value]) values[name] = value;
        }

        return values.GetValueOrDefault("aws_access_key_id") is { Length: > 0 } id && values.GetValueOrDefault("aws_secret_access_key") is { Length: > 0 } secret
            ? new(id, secret, values.GetValueOrDefault("aws_session_token"))
            : throw new ProblemException(SnapshotProblems.BadCredentials());
    }

    /// <summary>No secret in logs.</summary>
    public override string ToString() => Id;
}
