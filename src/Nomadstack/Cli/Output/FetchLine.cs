// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using Nomadstack.Fetch;

namespace Nomadstack.Cli.Output;

/// <summary>One line for a download, with a bar where the size is known.</summary>
internal static class FetchLine
{
    private const int BarWidth = 20;

    public static string Of(FetchProgress progress)
    {
        if (progress.Total is not > 0) return progress.Bytes == 0 ? progress.Step : $"{progress.Step}: {MiB(progress.Bytes)} MiB";
        var share = (double)progress.Bytes / progress.Total.Value;
        return $"[{new string('#', (int)(share * BarWidth)).PadRight(BarWidth, '.')}] {share.ToString("0 %", CultureInfo.InvariantCulture)} of {MiB(progress.Total.Value)} MiB, {progress.Step}";
    }

    private static string MiB(long bytes) => (bytes / 1048576.0).ToString("0.0", CultureInfo.InvariantCulture);
}
