// SPDX-License-Identifier: MPL-2.0
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Nomadstack.Engine.Configuration;
using Nomadstack.Engine.Rpc;

namespace Nomadstack.Engine.Server;

/// <summary>Speaks to every other server once a second, and to the addresses of the configuration until one of them answers.</summary>
internal sealed class Membership(AgentConfig config, MemberTable table, PeerHttp http, Func<RaftReport?> report, TimeProvider time, ILogger log)
{
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_deadline = TimeSpan.FromSeconds(2);

    public MemberTable Table => table;

    public IReadOnlyList<MemberView> All => table.All(report());

    /// <summary>What a server that speaks to us gets for an answer.</summary>
    public MemberExchange Answer(MemberExchange heard)
    {
        table.Hear(heard);
        return table.ToTell(report());
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
        using var late = new CancellationTokenSource(s_deadline, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancel);
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, $"http://{address}{RpcNames.Members}");
            request.Content = JsonContent.Create(table.ToTell(report()), MemberJson.Default.MemberExchange);
            using var response = await http.SendAsync(request, both.Token);
            response.EnsureSuccessStatusCode();
            var answer = await response.Content.ReadFromJsonAsync(MemberJson.Default.MemberExchange, both.Token);
            return answer?.From.Region == table.Self.Region ? (answer, "") : (null, $"{address} is a server of another region.");
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            return (null, $"Failed to join {address}: no answer in {s_deadline.TotalSeconds} s");
        }
        catch (Exception e) when (e is HttpRequestException or JsonException or IOException or UriFormatException)
        {
            return (null, $"Failed to join {address}: {e.Message}");
        }
    }
}

/// <summary>No server of the configuration could be joined in as many attempts as were allowed.</summary>
internal sealed class JoinGivenUpException(string message) : Exception(message);
