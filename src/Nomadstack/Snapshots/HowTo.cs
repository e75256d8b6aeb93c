// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Snapshots;

/// <summary>What a person reads who has a file of ours and nothing that runs.</summary>
internal static class HowTo
{
    public const string Snapshot = """
        This is a snapshot of a cluster that nomadstack runs.

        manifest.json   what is in here, with sizes and sums
        cluster.json    the nodes and the settings of the cluster
        secrets.json    tokens, keys of the authorities, gossip keys; values in base64
        pki/            the authority of the nodes' agents
        *.snap          the state of a product, as its own `operator snapshot save` or `snapshot save` writes it
        */keystore/     keys that a product keeps beside its state

        To open it without nomadstack:

          gpg --batch --pinentry-mode loopback --passphrase-file KEYFILE --decrypt NAME.tar.gpg | tar -x

        KEYFILE is a file with the cluster's recovery key, dashes and all, in one line.

        """;

    public const string Kit = """
        This is the kit of a cluster that nomadstack runs: what a person needs when nothing runs.

        recovery-key.txt   opens every snapshot of the cluster
        addresses.txt      the nodes, where they are, and which servers they had
        cluster.json       the nodes and the settings of the cluster
        secrets.json       tokens, keys of the authorities, gossip keys; values in base64
        pki/               the authority of the nodes' agents

        Keep it where the cluster is not: on paper, in a safe, with somebody else. Whoever opens it can do anything in the cluster.
        Make a new one after `nomadstack rotate`.

        A cluster whose machines are all lost: take the newest snapshot (every server node keeps them in the folder snapshots/ of its data folder), blank machines, and
        the recovery key, and see docs/snapshots.md.

        To open this file without nomadstack:

          gpg --decrypt FILE | tar -x

        """;
}
