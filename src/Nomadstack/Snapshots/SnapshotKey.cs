// SPDX-License-Identifier: MPL-2.0
using System.Security.Cryptography;
using System.Text;
using Nomadstack.Archives;
using Nomadstack.Cluster;
using Nomadstack.Peers;
using Nomadstack.Products;

namespace Nomadstack.Snapshots;

/// <summary>The cluster's recovery key, in the secrets of its server nodes.</summary>
internal sealed class SnapshotKey(NodeContext context)
{
    /// <summary>Names a key and tells nothing of it: it has 130 random bits.</summary>
    public static string IdOf(string key) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes("nomadstack recovery key " + key)))[..8];

    /// <summary>The key; null if there is none yet, or this node has not got it yet.</summary>
    public string? Find() => context.Trust.Open(SecretNames.RecoveryKey);

    /// <summary>The key, made at the first call in the cluster's life. Called where the scheduler's leader is, so that no two nodes make one.</summary>
    /// <exception cref="ProblemException"><c>secrets/*</c>, <c>snapshot/no-key</c>.</exception>
    public string FindOrMake()
    {
        if (Find() is { } key) return key;
        // Somebody has made one, and this node cannot open it yet.
        if (context.Trust.Secrets.Version(SecretNames.RecoveryKey) > 0) throw new ProblemException(SnapshotProblems.NoKey());
        context.Trust.Secrets.Put(SecretNames.RecoveryKey, Encoding.UTF8.GetBytes(RecoveryKey.Make().Text), ifVersion: 0);
        return Find() ?? throw new ProblemException(SnapshotProblems.NoKey());
    }
}
