// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Client.Plugins;
using Shouldly;
using Xunit;

namespace Nomadstack.Engine.Tests.Client;

public sealed class GrpcConnectionTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_connection_that_breaks_is_a_plugin_that_does_not_answer_whether_the_call_was_cancelled_meanwhile_or_not(bool cancelled)
    {
        foreach (var broken in new Exception[] { new HttpIOException(HttpRequestError.ResponseEnded), new HttpRequestException("refused"), new ObjectDisposedException("stream") })
            (await Should.ThrowAsync<GrpcException>(() => GuardAsync(broken, cancelled))).Code.ShouldBe(GrpcException.Unavailable);
    }

    [Fact]
    public async Task A_call_that_its_caller_cancelled_is_cancelled_and_one_that_anybody_else_did_is_not_answered()
    {
        await Should.ThrowAsync<OperationCanceledException>(() => GuardAsync(new OperationCanceledException(), cancelled: true));
        await Should.ThrowAsync<GrpcException>(() => GuardAsync(new OperationCanceledException(), cancelled: false));
    }

    private static async Task<int> GuardAsync(Exception outcome, bool cancelled)
    {
        using var cancel = new CancellationTokenSource();
        return await GrpcConnection.GuardAsync<int>(async () =>
        {
            await Task.Yield();
            if (cancelled) await cancel.CancelAsync();
            throw outcome;
        }, cancel.Token);
    }
}
