// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Products;

namespace Nomadstack.Nomad;

/// <summary>Tokens that are there. All calls but the last need a management token.</summary>
internal sealed partial class NomadApi
{
    /// <summary>Every token without its secret, asked of the leader.</summary>
    public Task<Answer<IReadOnlyList<TokenReply>>> TokensAsync(TimeSpan deadline, CancellationToken cancel) =>
        Http.GetAsync("/v1/acl/tokens", NomadJson.Default.IReadOnlyListTokenReply, deadline, cancel);

    /// <summary>A token with its secret.</summary>
    public Task<Answer<TokenReply>> TokenAsync(string accessor, TimeSpan deadline, CancellationToken cancel) =>
        Http.GetAsync("/v1/acl/token/" + Uri.EscapeDataString(accessor), NomadJson.Default.TokenReply, deadline, cancel);

    /// <summary>Also Ok if there is no such token.</summary>
    public async Task<Answer<Done>> DeleteTokenAsync(string accessor, TimeSpan deadline, CancellationToken cancel)
    {
        var answer = await Http.DoAsync(HttpMethod.Delete, "/v1/acl/token/" + Uri.EscapeDataString(accessor), null, deadline, cancel);
        return answer.IsNotFound ? new Answer<Done>.Ok(default) : answer;
    }

    /// <summary>
    /// The token that this endpoint says, as Nomad knows it. Some versions answer for one that they do not know as for an anonymous one (run on 1.10.5 and 2.0.5).
    /// </summary>
    public Task<Answer<TokenReply>> OwnTokenAsync(TimeSpan deadline, CancellationToken cancel) =>
        Http.GetAsync("/v1/acl/token/self", NomadJson.Default.TokenReply, deadline, cancel);
}
