// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Ground.Http;
using Nomadstack.Processes;
using Nomadstack.Products;

namespace Nomadstack.Snapshots;

/// <summary>Servers of the products that are a cluster of their own for as long as it takes to look at a snapshot (<see cref="LoopbackServers"/>).</summary>
/// <param name="processes">The process of a name, the same one at each call.</param>
internal sealed class ThrowAwayServers(NodeContext context, IReadOnlyDictionary<string, IProduct> products, Func<string, IOwnedProcess> processes)
{
    /// <summary>An election takes a second; a machine that is busy is given more.</summary>
    private static readonly TimeSpan s_start = TimeSpan.FromMinutes(1), s_stop = TimeSpan.FromSeconds(5), s_poll = TimeSpan.FromMilliseconds(100);

    /// <summary>For a gigabyte on a slow disk.</summary>
    private static readonly TimeSpan s_restore = TimeSpan.FromMinutes(10);

    /// <summary>What the kernel ends first when memory is short (proc(5), oom_score_adj).</summary>
    private const string First = "1000";

    private readonly Dictionary<string, IOwnedProcess> _processes = [];

    /// <summary>Starts a server, restores a snapshot into it, lets it be looked at, and leaves nothing of it.</summary>
    /// <exception cref="ProblemException"><c>snapshot/throw-away</c>, and what <paramref name="look"/> throws.</exception>
    public async Task<T> LookAsync<T>(Product product, Func<CancellationToken, Task<Stream>> snapshot, Func<Endpoint, IServerApi, Task<T>> look, CancellationToken cancel)
    {
        await RemoveAsync(product);
        var (code, process) = (products[product.Name], ProcessOf(product));
        try
        {
            var alone = new LoopbackServers(context, product, FolderOf(product), "of a throw-away server", [("throw-away", FolderOf(product))]);
            var site = alone.Sites[0];
            var spec = code.PrepareThrowAway(site, alone.Credentials);
            await Fault.AroundAsync("start-throw-away-" + product.Name, () => process.StartAsync(spec with { Name = process.Name, LogFile = Path.Combine(context.Paths.Log, process.Name + ".log") }, cancel));
            EndFirst(process);
            var endpoint = alone.EndpointOf(site, product.Title);
            var api = code.Server(endpoint);
            await UntilAsync(product, "it elected no leader", async () => await api.ReadinessAsync(cancel) == Readiness.Ready, cancel);
            await using (var from = await snapshot(cancel))
            {
                var restored = await api.RestoreSnapshotAsync(from, s_restore, cancel);
                if (!restored.IsOk) throw new ProblemException(SnapshotProblems.ThrowAway(product, restored.Complaint));
            }

            await UntilAsync(product, "it did not serve after the restore", async () => (await api.BarrierAsync(s_stop, cancel)).IsOk, cancel);
            return await look(endpoint, api);
        }
        finally
        {
            await RemoveAsync(product);
        }
    }

    /// <summary>Ends and deletes what is left of one, also of an agent that was killed.</summary>
    public async Task RemoveAsync(Product product)
    {
        var process = ProcessOf(product);
        await process.OpenAsync(CancellationToken.None);
        // It has nothing that anybody needs.
        await process.StopAsync(Signals.SIGKILL, s_stop, CancellationToken.None);
        await process.ForgetAsync(CancellationToken.None);
        if (Directory.Exists(FolderOf(product))) Directory.Delete(FolderOf(product), recursive: true);
    }

    private string FolderOf(Product product) => Path.Combine(context.Paths.Data, "throw-away", product.Name);

    private IOwnedProcess ProcessOf(Product product)
    {
        var name = product.Name + "-throw-away";
        return _processes.TryGetValue(name, out var known) ? known : _processes[name] = processes(name);
    }

    private static void EndFirst(IOwnedProcess process)
    {
        if (process.Pid is not { } pid) return;
        try
        {
            File.WriteAllText($"/proc/{pid}/oom_score_adj", First);
        }
        catch (IOException)
        {
            // It has ended already, which the next call to it tells.
        }
    }

    private async Task UntilAsync(Product product, string complaint, Func<Task<bool>> condition, CancellationToken cancel)
    {
        var began = context.Time.GetTimestamp();
        while (!await condition())
        {
            if (context.Time.GetElapsedTime(began) > s_start) throw new ProblemException(SnapshotProblems.ThrowAway(product, $"{complaint} within {s_start.TotalSeconds:0} s"));
            await Task.Delay(s_poll, context.Time, cancel);
        }
    }
}
