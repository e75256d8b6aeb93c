// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging;
using Nomadstack.Engine.Client.Drivers;

namespace Nomadstack.Engine.Client.Plugins;

/// <summary>The plugins of a client: every executable file of one folder.</summary>
internal static class PluginFolder
{
    /// <summary>Until their drivers have told what they are; one that is slower is known later.</summary>
    private static readonly TimeSpan s_firstFingerprint = TimeSpan.FromSeconds(50);

    private const UnixFileMode Executable = UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    /// <exception cref="PluginException">One of them cannot be used; none runs then.</exception>
    public static async Task<IReadOnlyList<PluginDriver>> StartAsync(ClientOptions options, Poller poller, TimeProvider time, ILogger log, CancellationToken cancel)
    {
        var drivers = new List<PluginDriver>();
        if (options.PluginDir is not { } folder || !Directory.Exists(folder)) return drivers;
        try
        {
            foreach (var file in Directory.EnumerateFiles(folder).Where(f => (File.GetUnixFileMode(f) & Executable) != 0).Order(StringComparer.Ordinal))
            {
                var plugin = options.Plugins.GetValueOrDefault(Path.GetFileName(file)) ?? new PluginOptions([], null);
                drivers.Add(await PluginDriver.StartAsync(file, plugin, Path.Combine(options.StateDir, "plugins"), poller, time, log, cancel));
            }

            if (drivers.GroupBy(d => d.Name).FirstOrDefault(g => g.Count() > 1) is { } twins) throw new PluginException($"{folder} holds {twins.Count()} plugins for the driver {twins.Key}");
        }
        catch
        {
            foreach (var driver in drivers) await driver.DisposeAsync();
            throw;
        }

        using var late = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var first = Task.WhenAll(drivers.Select(d => d.FirstFingerprint));
        await Task.WhenAny(first, Task.Delay(s_firstFingerprint, time, late.Token));
        await late.CancelAsync();
        return drivers;
    }
}
