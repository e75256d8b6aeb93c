// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Ground.Kernel;

namespace Nomadstack.Doctor;

/// <summary>How long the disk takes for a small durable write. Every write to a cluster waits for this on a majority of the servers.</summary>
internal static class SyncTime
{
    private const int Writes = 8;

    /// <summary>The median of a few writes beside the data folder; null when the disk has no room. The file is deleted afterwards.</summary>
    public static TimeSpan? Measure(string folder, TimeProvider time)
    {
        while (!Directory.Exists(folder)) folder = Path.GetDirectoryName(folder)!;
        var file = Path.Combine(folder, $".nomadstack-doctor-{Environment.ProcessId}");
        try
        {
            using var stream = new FileStream(file, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, Options = FileOptions.DeleteOnClose, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite });
            var block = new byte[4096];
            List<TimeSpan> took = [];
            for (var i = 0; i < Writes; i++)
            {
                var started = time.GetTimestamp();
                stream.Write(block);
                stream.Flush(flushToDisk: true);
                took.Add(time.GetElapsedTime(started));
            }

            return took.Order().ElementAt(Writes / 2);
        }
        catch (IOException e) when (e.HResult is Libc.ENOSPC or Libc.EROFS)
        {
            // The checks of the disk report both.
            return null;
        }
    }
}
