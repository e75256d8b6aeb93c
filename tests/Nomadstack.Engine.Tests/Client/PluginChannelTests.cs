// SPDX-License-Identifier: MPL-2.0
using System.Net.Sockets;
using Grpc.Core;
using Nomadstack.Engine.Client.Plugins;
using Nomadstack.Ground.Protocol;
using Shouldly;
using Xunit;

namespace Nomadstack.Engine.Tests.Client;

public sealed class PluginChannelTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly CancellationTokenSource _over = new();

    [Fact]
    public async Task A_plugin_that_is_not_there_is_silent() => PluginChannel.IsSilence(await FailureAsync()).ShouldBeTrue();

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(100)]
    public async Task A_plugin_that_hangs_up_is_silent_however_much_it_has_read(int bytes)
    {
        Serve(async connection =>
        {
            if (bytes > 0) await connection.ReceiveAsync(new byte[bytes]);
        });
        PluginChannel.IsSilence(await FailureAsync()).ShouldBeTrue();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public async Task A_plugin_that_ends_the_connection_in_good_order_is_silent(byte why)
    {
        Serve(async connection =>
        {
            await connection.ReceiveAsync(new byte[4096]);
            // An empty SETTINGS frame, and a GOAWAY that takes no stream.
            await connection.SendAsync(new byte[] { 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, why });
        });
        PluginChannel.IsSilence(await FailureAsync()).ShouldBeTrue();
    }

    [Fact]
    public async Task A_plugin_that_does_not_answer_in_time_is_silent()
    {
        Serve(_ => Task.Delay(Timeout.Infinite, _over.Token));
        var failure = await FailureAsync(DateTime.UtcNow.AddMilliseconds(200));
        failure.StatusCode.ShouldBe(StatusCode.DeadlineExceeded);
        PluginChannel.IsSilence(failure).ShouldBeTrue();
    }

    [Theory]
    [InlineData(StatusCode.Cancelled, "rpc error: code = Canceled desc = no")]
    [InlineData(StatusCode.FailedPrecondition, "rpc error: code = FailedPrecondition desc = no")]
    public void A_failure_reads_as_grpc_go_prints_it(StatusCode code, string text) => PluginChannel.Text(new(new(code, "no"))).ShouldBe(text);

    public void Dispose()
    {
        _over.Cancel();
        _over.Dispose();
        _folder.Dispose();
    }

    private async Task<RpcException> FailureAsync(DateTime? deadline = null)
    {
        using var channel = PluginChannel.To(new UnixDomainSocketEndPoint(_folder["socket"]));
        return await Should.ThrowAsync<RpcException>(async () => await new BasePlugin.BasePluginClient(channel).PluginInfoAsync(new(), deadline: deadline).ResponseAsync.WaitAsync(TimeSpan.FromSeconds(10)));
    }

    /// <summary>Accepts connections and closes each when <paramref name="act"/> ends.</summary>
    private void Serve(Func<Socket, Task> act)
    {
        var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(_folder["socket"]));
        listener.Listen();
        _ = ServeAsync();

        async Task ServeAsync()
        {
            using (listener)
            {
                while (!_over.IsCancellationRequested)
                {
                    using var connection = await listener.AcceptAsync(_over.Token);
                    await act(connection);
                }
            }
        }
    }
}
