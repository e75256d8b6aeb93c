// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Client;

/// <summary>What all tasks of a client share.</summary>
/// <param name="Node">As it is now.</param>
/// <param name="ServersContacted">Completes when the servers have told for the first time what shall run here.</param>
internal sealed record TaskSite(ClientOptions Options, TaskDrivers Drivers, Func<Node> Node, Task ServersContacted, TimeProvider Time, Random Random)
{
    /// <summary>By it the agent that started this client finds it again; a task that had it would be taken for the client.</summary>
    private const string MarkOfTheClient = "NOMADSTACK_PROCESS";

    /// <summary>What tasks without a file system of their own get of the client's environment.</summary>
    public IEnumerable<KeyValuePair<string, string>> HostEnvironment()
    {
        foreach (System.Collections.DictionaryEntry entry in Environment.GetEnvironmentVariables())
            if ((string)entry.Key != MarkOfTheClient && !Options.EnvironmentDenylist.Contains((string)entry.Key)) yield return new((string)entry.Key, (string?)entry.Value ?? "");
    }
}
