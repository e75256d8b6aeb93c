// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Client;
using Nomadstack.Engine.Configuration;
using Nomadstack.Engine.Server;

namespace Nomadstack.Engine.Http;

/// <summary>What one agent consists of: a server, a client, or both.</summary>
internal sealed record AgentParts(AgentConfig Config, TimeProvider Time, NomadServer? Server, NomadClient? Client)
{
    /// <summary>What it logs.</summary>
    public LogTap Log { get; init; } = new();
}
