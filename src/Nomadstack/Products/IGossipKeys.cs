// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Products;

/// <summary>The keys with which a product's agents encrypt gossip, at all agents that one of them reaches.</summary>
internal interface IGossipKeys
{
    /// <summary>Refused while an agent that gossip counts does not answer, for then nobody knows which keys it has.</summary>
    Task<Answer<GossipKeysSeen>> ListAsync(TimeSpan deadline, CancellationToken cancel);

    /// <summary>Every agent may decrypt with the key. Repeatable.</summary>
    Task<Answer<Done>> InstallAsync(string key, TimeSpan deadline, CancellationToken cancel);

    /// <summary>Every agent encrypts with the key, which must be installed. Repeatable.</summary>
    Task<Answer<Done>> UseAsync(string key, TimeSpan deadline, CancellationToken cancel);

    /// <summary>No agent decrypts with the key, which must not be in use. Refused if an agent does not have it.</summary>
    Task<Answer<Done>> RemoveAsync(string key, TimeSpan deadline, CancellationToken cancel);
}

/// <param name="Agents">How many agents were counted.</param>
/// <param name="Keys">By key, how many agents have it.</param>
internal sealed record GossipKeysSeen(int Agents, IReadOnlyDictionary<string, int> Keys)
{
    public bool AllHave(string key) => Agents > 0 && Keys.GetValueOrDefault(key) == Agents;

    public IEnumerable<string> Others(string key) => Keys.Keys.Where(k => k != key).Order(StringComparer.Ordinal);
}
