// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using Nomadstack.Api;
using Nomadstack.Storage;

namespace Nomadstack.Dev;

/// <summary>One of the nodes that <c>up --dev-nodes</c> runs on this machine. It has its own loopback address, data folder and power plug.</summary>
internal sealed record DevNode(string Room, int Number)
{
    public string Name => "n" + Number.ToString(CultureInfo.InvariantCulture);

    /// <summary>Every address of 127.0.0.0/8 belongs to this machine. Not 127.0.0.1, where other programs listen.</summary>
    public string Address => "127.77.0." + Number.ToString(CultureInfo.InvariantCulture);

    public NodePaths Paths => new(Path.Combine(Room, Name));

    /// <summary>Name of its agent among the room's processes.</summary>
    public string ProcessName => "agent-" + Name;

    public bool IsMember => File.Exists(Paths.ClusterFile);

    /// <summary>No agent is started while the plug is out. It is a file, so that any command can pull it.</summary>
    public bool HasPower => !File.Exists(OffFile);

    public bool AgentRuns => AgentPresence.HolderOf(Paths) is not null;

    private string OffFile => Path.Combine(Room, Name + ".off");

    public void PullPlug() => DurableText.Write(OffFile, "");

    public void PlugIn() => File.Delete(OffFile);
}
