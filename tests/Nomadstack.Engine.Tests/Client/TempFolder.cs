// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Engine.Tests.Client;

internal sealed class TempFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("engine-client-").FullName;

    public string this[string name] => System.IO.Path.Combine(Path, name);

    public void Dispose()
    {
        if (Directory.Exists(Path)) Directory.Delete(Path, recursive: true);
    }
}

internal static class Wait
{
    public static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    /// <summary>For what the file system or the kernel shows and no event tells.</summary>
    public static Task UntilAsync(string what, Func<bool> met) => UntilAsync(what, () => Task.FromResult(met()));

    public static async Task UntilAsync(string what, Func<Task<bool>> met)
    {
        var deadline = TimeProvider.System.GetTimestamp();
        while (!await met())
        {
            if (TimeProvider.System.GetElapsedTime(deadline) > Deadline) throw new TimeoutException($"not within {Deadline}: {what}");
            await Task.Delay(10);
        }
    }
}
