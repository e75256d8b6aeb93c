// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Storage;

namespace Nomadstack.Preflight;

/// <summary>Reads how full a folder's disk is. Takes microseconds.</summary>
internal static class DiskReading
{
    /// <param name="folder">It exists.</param>
    /// <returns>Null where the file system does not tell.</returns>
    public static DiskSpace? Of(string folder)
    {
        try
        {
            var drive = new DriveInfo(folder);
            var real = Directory.ResolveLinkTarget(folder, returnFinalTarget: true)?.FullName ?? Path.GetFullPath(folder);
            var mount = Mount.Of(real, File.ReadAllText("/proc/self/mountinfo"))?.Point ?? real;
            return new(mount, drive.TotalSize - drive.TotalFreeSpace, drive.AvailableFreeSpace);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The access check says why.
            return null;
        }
    }
}
