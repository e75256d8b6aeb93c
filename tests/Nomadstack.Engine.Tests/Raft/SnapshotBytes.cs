// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Raft;

namespace Nomadstack.Engine.Tests.Raft;

/// <summary>Small states as bytes.</summary>
internal static class SnapshotBytes
{
    public static void Save(this SnapshotStore store, SnapshotMeta meta, byte[] state) => store.Save(meta, to => to.Write(state));

    public static byte[] Bytes(this SnapshotStore store, SnapshotMeta meta)
    {
        using var state = store.Load(meta);
        var bytes = new byte[state.Length];
        state.ReadExactly(bytes);
        return bytes;
    }
}
