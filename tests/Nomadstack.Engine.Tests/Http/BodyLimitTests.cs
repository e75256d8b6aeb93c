// SPDX-License-Identifier: MPL-2.0
using System.Net;
using System.Text;
using Nomadstack.Engine.Http;
using Nomadstack.Engine.Http.Calls;
using Nomadstack.Engine.Tests.Server;
using Shouldly;
using Xunit;

namespace Nomadstack.Engine.Tests.Http;

public sealed class BodyLimitTests
{
    [Fact]
    public async Task EveryCallRefusesABodyThatIsLongerThanItTakesAnnouncedOrNot()
    {
        await using var cluster = await AgentCluster.OneAsync();
        var agent = cluster.Agents["s1"];
        foreach (var route in Routes.All.Where(r => r.Access is not (Access.Rpc or Access.LocalRpc or Access.NotServed) && r.Methods.Contains("PUT")))
        {
            foreach (var chunked in new[] { false, true })
            {
                using var answer = await PutAsync(agent, route.Pattern.Replace('*', 'x'), route.MaxBody + 1, chunked);
                var text = await answer.Content.ReadAsStringAsync();
                ((int)answer.StatusCode, text.Contains($"may have {route.MaxBody} bytes in nomadstack's embedded engine")).ShouldBe((413, true), $"{route.Pattern} {chunked}: {text}");
            }
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task ABodyOfJustTheLimitIsRead(bool chunked)
    {
        await using var cluster = await AgentCluster.OneAsync();
        using var answer = await PutAsync(cluster.Agents["s1"], "/v1/job/x/evaluate", BodyBudget.Small, chunked);
        (await answer.Content.ReadAsStringAsync()).ShouldStartWith("json: line 1, byte 1");
    }

    [Fact]
    public async Task BodiesThatAreHeldAtOneTimeHaveATotal()
    {
        await using var cluster = await AgentCluster.OneAsync();
        var agent = cluster.Agents["s1"];
        var (hold, held) = (new TaskCompletionSource(), new List<Task<HttpResponseMessage>>());
        try
        {
            // Each has sent all but its last byte, and is held so long.
            for (var i = 0; i < 2; i++)
            {
                var slow = new SlowContent(BodyBudget.Raft, hold.Task);
                held.Add(agent.Http.PutAsync("/v1/operator/snapshot", slow));
                await slow.Nearly.WaitAsync(TimeSpan.FromSeconds(30));
            }

            await cluster.EventuallyAsync("one more is refused", async () =>
            {
                var (status, text) = await agent.SendAsync("PUT", "/v1/jobs", JobsOf.Service("web"));
                return status == 503 && text.Contains("bytes together, which is all it holds. Try again.");
            });
        }
        finally
        {
            hold.SetResult();
            foreach (var answer in held) (await answer).Dispose();
        }

        (await agent.SendAsync("PUT", "/v1/jobs", JobsOf.Service("web"))).Status.ShouldBe(200);
    }

    private static Task<HttpResponseMessage> PutAsync(RunningAgent agent, string path, int bytes, bool chunked)
    {
        var request = new HttpRequestMessage(HttpMethod.Put, path) { Content = new ByteArrayContent(Encoding.ASCII.GetBytes(new string('x', bytes))) };
        if (chunked) request.Headers.TransferEncodingChunked = true;
        // Whoever is told at once need not send what nobody reads.
        request.Headers.ExpectContinue = true;
        return agent.Http.SendAsync(request);
    }

    private sealed class SlowContent(int bytes, Task hold) : HttpContent
    {
        private readonly TaskCompletionSource _nearly = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Nearly => _nearly.Task;

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            await stream.WriteAsync(new byte[bytes - 1]);
            await stream.FlushAsync();
            _nearly.SetResult();
            await hold;
            await stream.WriteAsync(new byte[1]);
        }

        protected override bool TryComputeLength(out long length)
        {
            length = bytes;
            return true;
        }
    }
}
