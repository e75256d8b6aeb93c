// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Client;
using Nomadstack.Engine.Configuration;
using Nomadstack.Engine.Rpc;
using Nomadstack.Engine.Server;

namespace Nomadstack.Engine.Http;

/// <summary>What one agent consists of: a server, a client, or both.</summary>
internal sealed record AgentParts(AgentConfig Config, AgentTls Tls, TimeProvider Time, NomadServer? Server, NomadClient? Client)
{
    /// <summary>What it logs.</summary>
    public LogTap Log { get; init; } = new();

    /// <summary>Whose token is whose.</summary>
    public TokenResolver Tokens { get; } = new(Config, Time, Server, Client);

    /// <summary>Reads its files anew.</summary>
    public Action Reload { get; init; } = () => throw ServerException.Failed("this agent was not started from files");
}
