// SPDX-License-Identifier: MPL-2.0
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.Extensions.Logging;
using Nomadstack.Engine.Configuration;
using Nomadstack.Engine.Rpc;

namespace Nomadstack.Engine.Server;

/// <summary>Speaks to every other server once a second, and to the addresses of the configuration until one of them answers.</summary>
internal sealed class Membership(AgentConfig config, MemberTable table, KeyRing keys, PeerHttp http, Func<RaftReport?> report, TimeProvider time, ILogger log)
{
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_deadline = TimeSpan.FromSeconds(2);

    private readonly HashSet<(string From, string Why)> _refused = [];

    public MemberTable Table => table;

    public IReadOnlyList<MemberView> All => table.All(report());

    /// <summary>What a server that speaks to us gets for an answer.</summary>
    /// <exception cref="GossipKeyException">It does not have our key.</exception>
    /// <exception cref="JsonException">It is no server of this kind.</exception>
    public byte[] Answer(ReadOnlySpan<byte> message) => Answer(message, RpcNames.Members, MemberJson.Default.MemberExchange, heard =>
    {
        table.Hear(heard);
        return table.ToTell(report());
    }, MemberJson.Default.MemberExchange);

    /// <summary>As <see cref="Answer(ReadOnlySpan{byte})"/>, for a server at which an operator changes all keys.</summary>
    public byte[] AnswerKeyring(ReadOnlySpan<byte> message) =>
        Answer(message, RpcNames.Keyring, MemberJson.Default.KeyringAsked, asked => new KeyringSaid(keys.Do(asked.Operation, asked.Key), keys.Keys), MemberJson.Default.KeyringSaid);

    /// <summary>Asks every server that is alive, this one last: it may be the one key that all still share which is changed.</summary>
    /// <returns>Null for one that did not answer.</returns>
    public async Task<IReadOnlyList<(string Name, KeyringSaid? Said)>> AskKeyringsAsync(KeyringAsked asked, CancellationToken cancel)
    {
        var others = All.Where(m => m.Status == MemberStatus.Alive && m.Member.ID != table.Self.ID).Select(m => m.Member);
        var answers = await Task.WhenAll(others.Select(async member =>
            (member.Name, (await SpeakAsync(member.Rpc, RpcNames.Keyring, asked, MemberJson.Default.KeyringAsked, MemberJson.Default.KeyringSaid, cancel)).Answer)));
        return [.. answers, (table.Self.Name, new KeyringSaid(keys.Do(asked.Operation, asked.Key), keys.Keys))];
    }

    /// <summary>A server was not heard, since it has not our key. It will try again and again: once is enough for the log.</summary>
    public void Refused(string from, string why)
    {
        lock (_refused)
            if (!_refused.Add((from, why))) return;
        log.LogWarning("Gossip from {From} was refused: {Why}", from, why);
    }

    /// <summary>Asks an address to take us in.</summary>
    /// <returns>Why it did not; null when it did.</returns>
    public async Task<string?> JoinAsync(string address, CancellationToken cancel)
    {
        var target = HostPort.Complete(address, config.Ports.Serf);
        var (answer, complaint) = await SpeakAsync(target, cancel);
        if (answer is null) return complaint;
        if (answer.From.Name == table.Self.Name && answer.From.ID != table.Self.ID) return $"{address} is another server with the name of this one, {table.Self.Name}";
        table.Hear(answer);
        return null;
    }

    /// <summary>One round: tells everybody what is new of us.</summary>
    public Task RoundAsync(IEnumerable<string> alsoTo, CancellationToken cancel) => RoundAsync(alsoTo, TimeSpan.Zero, cancel);

    /// <param name="fresh">Whom we have heard within this time is left out: an exchange tells both sides.</param>
    private async Task RoundAsync(IEnumerable<string> alsoTo, TimeSpan fresh, CancellationToken cancel)
    {
        var (self, heard) = (table.Self, table.HeardWithin(fresh));
        var known = All.Where(m => m.Status != MemberStatus.Left).Select(m => m.Member.Rpc).Concat(alsoTo).Where(a => a != self.Rpc && !heard.Contains(a)).Distinct();
        var answers = await Task.WhenAll(known.Select(address => SpeakAsync(address, cancel)));
        foreach (var (answer, _) in answers)
            if (answer is not null) table.Hear(answer);
        table.ForgetOld();
    }

    /// <summary>Until it is cancelled.</summary>
    public async Task SpeakToAllAsync(Func<IEnumerable<string>> raftAddresses, CancellationToken stop)
    {
        using var timer = new PeriodicTimer(s_interval, time);
        do await RoundAsync(raftAddresses(), s_interval * 0.75, stop);
        while (await timer.WaitForNextTickAsync(stop));
    }

    /// <summary>Until one of the configured addresses has answered.</summary>
    /// <exception cref="JoinGivenUpException">The configured number of attempts was in vain.</exception>
    public async Task JoinConfiguredAsync(CancellationToken stop)
    {
        var server = config.Server!;
        for (var attempt = 1; server.RetryJoin.Count > 0; attempt++)
        {
            var complaints = new List<string>();
            foreach (var address in server.RetryJoin)
            {
                if (await JoinAsync(address, stop) is not { } complaint)
                {
                    // Having met only ourselves is no success.
                    if (All.Count > 1)
                    {
                        log.LogInformation("Joined the cluster through {Address}; {Count} servers are known", address, All.Count);
                        return;
                    }
                }
                else
                {
                    complaints.Add(complaint);
                }
            }

            if (server.RetryMax > 0 && attempt >= server.RetryMax) throw new JoinGivenUpException($"No server could be joined in {attempt} attempts. {string.Join(" ", complaints)}");
            if (attempt == 1) log.LogInformation("No server could be joined yet: {Reasons}", string.Join(" ", complaints));
            await Task.Delay(server.RetryInterval, time, stop);
        }
    }

    private async Task<(MemberExchange? Answer, string Complaint)> SpeakAsync(string address, CancellationToken cancel)
    {
        var (answer, complaint) = await SpeakAsync(address, RpcNames.Members, table.ToTell(report()), MemberJson.Default.MemberExchange, MemberJson.Default.MemberExchange, cancel);
        return answer is null || answer.From.Region == table.Self.Region ? (answer, complaint) : (null, $"{address} is a server of another region.");
    }

    /// <summary>What is asked and what is answered are no message for each other, nor for another path.</summary>
    private static byte[] Purpose(string path, bool answer) => Encoding.ASCII.GetBytes(answer ? path + "!" : path + "?");

    private byte[] Answer<TAsked, TSaid>(ReadOnlySpan<byte> message, string path, JsonTypeInfo<TAsked> asked, Func<TAsked, TSaid> answer, JsonTypeInfo<TSaid> said)
    {
        var plain = keys.Unseal(message, Purpose(path, answer: false));
        return keys.Seal(JsonSerializer.SerializeToUtf8Bytes(answer(JsonSerializer.Deserialize(plain, asked) ?? throw new JsonException("nothing was said")), said), Purpose(path, answer: true));
    }

    private async Task<(TSaid? Answer, string Complaint)> SpeakAsync<TAsked, TSaid>(string address, string path, TAsked said, JsonTypeInfo<TAsked> asked, JsonTypeInfo<TSaid> answered, CancellationToken cancel)
        where TSaid : class
    {
        using var late = new CancellationTokenSource(s_deadline, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancel);
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, $"http://{address}{path}");
            request.Content = new ByteArrayContent(keys.Seal(JsonSerializer.SerializeToUtf8Bytes(said, asked), Purpose(path, answer: false)));
            using var response = await http.SendAsync(request, both.Token);
            var body = await response.Content.ReadAsByteArrayAsync(both.Token);
            if (!response.IsSuccessStatusCode) return (null, $"Failed to join {address}: it answered {(int)response.StatusCode}: {Encoding.UTF8.GetString(body)}");
            return (JsonSerializer.Deserialize(keys.Unseal(body, Purpose(path, answer: true)), answered), "");
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            return (null, $"Failed to join {address}: no answer in {s_deadline.TotalSeconds} s");
        }
        catch (Exception e) when (e is HttpRequestException or JsonException or IOException or UriFormatException or GossipKeyException)
        {
            return (null, $"Failed to join {address}: {e.Message}");
        }
    }
}

/// <summary>No server of the configuration could be joined in as many attempts as were allowed.</summary>
internal sealed class JoinGivenUpException(string message) : Exception(message);
