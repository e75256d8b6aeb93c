// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Client;

/// <summary>What all tasks of a client share.</summary>
/// <param name="Node">As it is now.</param>
/// <param name="ServersContacted">Completes when the servers have told for the first time what shall run here.</param>
internal sealed record TaskSite(ClientOptions Options, TaskDrivers Drivers, Func<Node> Node, Task ServersContacted, TimeProvider Time, Random Random)
{
    /// <summary>
    /// What tasks without a file system of their own get of the client's environment, the mark included by which whoever started the client finds all that it left
    /// (HashiCorp's raw_exec hands it on too): a task that hid from it would outlive the node it runs on.
    /// </summary>
    public IEnumerable<KeyValuePair<string, string>> HostEnvironment()
    {
        foreach (System.Collections.DictionaryEntry entry in Environment.GetEnvironmentVariables())
            if (!Options.EnvironmentDenylist.Contains((string)entry.Key)) yield return new((string)entry.Key, (string?)entry.Value ?? "");
    }
}
