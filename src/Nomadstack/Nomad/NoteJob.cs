// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;
using Nomadstack.HashiCorp;

namespace Nomadstack.Nomad;

/// <summary>
/// A job that never runs and carries a note in its metadata: the one place in Nomad's own state that every version since 1.1 has, that needs no key to be read, and that comes and
/// goes with the rest of that state. Nomad makes no evaluation for a parameterized job and never collects it.
/// </summary>
internal static class NoteJob
{
    public const string Id = "nomadstack-history";

    public const string Key = "marks";

    public static string Render(string note) => ConfigText.Of(new JsonObject
    {
        ["ID"] = Id,
        ["Name"] = Id,
        ["Region"] = "global",
        ["Datacenters"] = new JsonArray("dc1"),
        ["Type"] = "batch",
        ["Meta"] = new JsonObject { [Key] = note },
        ["ParameterizedJob"] = new JsonObject { ["Payload"] = "forbidden" },
        ["TaskGroups"] = new JsonArray(new JsonObject
        {
            ["Name"] = "none",
            ["Count"] = 1,
            // Whoever dispatches it gets this.
            ["Tasks"] = new JsonArray(new JsonObject { ["Name"] = "none", ["Driver"] = "raw_exec", ["Config"] = new JsonObject { ["command"] = "/bin/true" }, ["Resources"] = new JsonObject { ["CPU"] = 10, ["MemoryMB"] = 10 } }),
        }),
    });
}
