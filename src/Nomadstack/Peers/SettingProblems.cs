// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;

namespace Nomadstack.Peers;

/// <summary>Why a setting or a secret of the cluster cannot be written, in words for an operator.</summary>
internal static class SettingProblems
{
    private const string ReadAgain = "Read it again and decide again.";

    public static Problem BadValue(string name, string complaint) => new(
        "settings/bad-value",
        $"The setting {name} cannot be written.",
        complaint,
        "Write a value that this setting accepts.");

    public static Problem Changed(string name, long seen, long now, string writer) => new(
        "settings/changed",
        $"Somebody else has changed the setting {name}.",
        $"Its version was {seen} when it was read. Now it is {now}, written by node {writer}.",
        ReadAgain);

    public static Problem TooMany(int most) => new(
        "settings/too-many",
        $"There are already {most} settings.",
        "A cluster keeps no more, including deleted ones.",
        "Write to one of the existing settings.");

    public static Problem NotAServerNode(string name) => new(
        "settings/not-a-server-node",
        $"This node cannot write the setting {name}.",
        "Only server nodes write settings. The key of this node is not certified for a server node.",
        "Run the command on a server node.")
    { Unsafe = true };

    public static Problem BadSecret(string name, int mostBytes) => new(
        "secrets/bad-value",
        $"The secret {name} cannot be written.",
        $"A name consists of lower-case letters, digits, dots and dashes. A value has at most {mostBytes} bytes.",
        "Choose another name, or a smaller value.");

    public static Problem SecretChanged(string name, long seen, long now) => new(
        "secrets/changed",
        $"Somebody else has changed the secret {name}.",
        $"Its version was {seen} when it was read. Now it is {now}.",
        ReadAgain);

    public static Problem TooManySecrets(int most) => new(
        "secrets/too-many",
        $"There are already {most} secrets.",
        "A cluster keeps no more, including deleted ones.",
        "Write to one of the existing secrets.");

    public static Problem NoSecretsHere(string name) => new(
        "secrets/not-a-server-node",
        $"This node cannot write the secret {name}.",
        "Only server nodes keep secrets.",
        "Run the command on a server node.")
    { Unsafe = true };
}
