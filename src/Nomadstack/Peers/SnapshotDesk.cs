// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Peers;

/// <summary>The snapshots that a server node gives to others.</summary>
internal interface ISnapshotDesk
{
    /// <summary>A list of those it has, as JSON that both ends understand.</summary>
    byte[] List();

    /// <summary>The encrypted file; null if there is none of that name.</summary>
    Stream? Open(string name);
}
