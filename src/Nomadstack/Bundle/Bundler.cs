// SPDX-License-Identifier: MPL-2.0
using System.IO.Compression;
using System.Security.Cryptography;
using Nomadstack.Cluster;
using Nomadstack.Programs;
using Nomadstack.Storage;

namespace Nomadstack.Bundle;

/// <param name="Sha256">Of the whole file.</param>
internal sealed record Bundled(string Path, long Bytes, string Sha256, BundleIndex Index);

/// <summary>Makes one file of this program and the programs that it runs. The same input gives the same bytes.</summary>
internal static class Bundler
{
    private const UnixFileMode Executable = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;

    /// <summary>A bundle runs on one kind of machine.</summary>
    /// <exception cref="ProblemException"><c>bundle/not-a-program</c> or <c>bundle/other-machine</c>.</exception>
    public static void CheckMachines(string self, IEnumerable<(string Name, string File)> programs)
    {
        var machine = ElfMachine.Of(self) ?? throw new ProblemException(BundleProblems.NotOurProgram(self));
        foreach (var (name, file) in programs)
        {
            var built = ElfMachine.Of(file) ?? throw new ProblemException(BundleProblems.NotAProgram(name, file));
            if (built != machine)
                throw new ProblemException(BundleProblems.OtherMachine(name, file, built, machine));
        }
    }

    /// <summary>Checks that a program may be packed: it runs here and prints its version.</summary>
    /// <exception cref="ProblemException"><c>engine/*</c>.</exception>
    public static async Task<(string Name, string Version, string File)> AskAsync(Product product, string file, TimeProvider time, CancellationToken cancel)
    {
        var found = (await new ProgramProbe(time).ProbeAsync(product, file, null, null, cancel)).OrThrow();
        return (product.Name, found.Version.ToString(), found.Path);
    }

    /// <param name="self">A nomadstack binary. If it contains a bundle already, that one is left out.</param>
    /// <param name="programs">Name, version and file of each.</param>
    /// <param name="output">Written to a temporary file and renamed: it is complete, or unchanged.</param>
    /// <exception cref="ProblemException"><c>bundle/*</c> or <c>storage/unwritable</c>.</exception>
    public static async Task<Bundled> WriteAsync(string self, IReadOnlyList<(string Name, string Version, string File)> programs, string output, Action<string> step, CancellationToken cancel)
    {
        CheckMachines(self, programs.Select(p => (p.Name, p.File)));
        var start = Trailer.Read(self)?.Trailer.Start ?? new FileInfo(self).Length;
        output = Path.GetFullPath(output);
        var folder = Path.GetDirectoryName(output)!;
        var temp = output + ".tmp";
        try
        {
            Directory.CreateDirectory(folder);
            Bundled bundled;
            await using (var to = new FileStream(temp, new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.ReadWrite, UnixCreateMode = Executable }))
            {
                step("copy nomadstack");
                await using (var from = File.OpenRead(self)) await CopyAsync(from, to, start, cancel);
                List<BundledProgram> index = [];
                foreach (var program in programs.OrderBy(p => p.Name, StringComparer.Ordinal))
                {
                    step($"pack {program.Name} {program.Version}");
                    index.Add(await PackAsync(program, to, cancel));
                }

                Trailer.Write(to, start, new(index));
                step("write it to disk");
                to.Flush(flushToDisk: true);
                to.Position = 0;
                bundled = new(output, to.Length, Convert.ToHexStringLower(await SHA256.HashDataAsync(to, cancel)), new(index));
            }

            File.SetUnixFileMode(temp, Executable);
            File.Move(temp, output, overwrite: true);
            DurableFolders.Sync(folder);
            return bundled;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ProblemException(BundleProblems.Unwritable(output, e.Message), e);
        }
        finally
        {
            File.Delete(temp);
        }
    }

    private static async Task<BundledProgram> PackAsync((string Name, string Version, string File) program, FileStream to, CancellationToken cancel)
    {
        var before = to.Position;
        using var sum = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        long size = 0;
        await using (var from = File.OpenRead(program.File))
        // .NET writes no time and no name into the gzip header, so the same program always gives the same bytes.
        await using (var packed = new GZipStream(to, CompressionLevel.Optimal, leaveOpen: true))
        {
            var buffer = new byte[1 << 20];
            int n;
            while ((n = await from.ReadAsync(buffer, cancel)) > 0)
            {
                sum.AppendData(buffer, 0, n);
                size += n;
                await packed.WriteAsync(buffer.AsMemory(0, n), cancel);
            }
        }

        return new(program.Name, program.Version, to.Position - before, size, Convert.ToHexStringLower(sum.GetHashAndReset()));
    }

    private static async Task CopyAsync(FileStream from, FileStream to, long bytes, CancellationToken cancel)
    {
        var buffer = new byte[1 << 20];
        while (bytes > 0)
        {
            var n = await from.ReadAsync(buffer.AsMemory(0, (int)Math.Min(buffer.Length, bytes)), cancel);
            if (n == 0) throw new EndOfStreamException("The file of nomadstack became shorter while it was read.");
            await to.WriteAsync(buffer.AsMemory(0, n), cancel);
            bytes -= n;
        }
    }
}
