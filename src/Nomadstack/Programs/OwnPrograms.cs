// SPDX-License-Identifier: MPL-2.0
using System.Security.Cryptography;
using Nomadstack.Cluster;
using Nomadstack.Storage;

namespace Nomadstack.Programs;

/// <summary>
/// <c>programs/PRODUCT/VERSION-DIGEST/</c>: this node's own copies of programs that others may replace, and <c>programs/own.json</c>, which says what the node runs.
/// A copy and not a hard link: whoever writes into the original in place would change a link too. Where the file system can, the copy shares the original's blocks.
/// </summary>
internal sealed class OwnPrograms(NodePaths paths)
{
    private const int DigestShown = 12;
    private const string Unfinished = ".new-";

    private const UnixFileMode Executable =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;

    private readonly DurableFile<OwnProgramsFile> _file = new(Path.Combine(paths.Programs, "own.json"), 1, OwnProgramsJson.Default.OwnProgramsFile);

    /// <summary>What this node runs, by product.</summary>
    /// <exception cref="ProblemException"><c>storage/*</c>.</exception>
    public IReadOnlyDictionary<string, OwnProgram> All => _file.Read()?.Programs ?? new Dictionary<string, OwnProgram>();

    /// <summary>What this node runs of a product; null if that was never settled.</summary>
    /// <exception cref="ProblemException"><c>storage/*</c>.</exception>
    public OwnProgram? Of(Product product) => All.GetValueOrDefault(product.Name);

    /// <exception cref="ProblemException"><c>storage/*</c>.</exception>
    public void Record(Product product, OwnProgram program)
    {
        var known = All;
        if (known.GetValueOrDefault(product.Name) != program) _file.Write(new() { Programs = new Dictionary<string, OwnProgram>(known) { [product.Name] = program } });
    }

    /// <summary>Makes a program this node's own: copies it, unless it is in the data folder already. Durable when this returns; nothing is recorded yet.</summary>
    /// <param name="found">The program, with the version that it reported.</param>
    /// <param name="stamp">Its stamp before it was asked for the version; null for a file that nobody can replace.</param>
    /// <exception cref="IOException">It cannot be copied, or changed meanwhile. Nothing is left of the copy.</exception>
    /// <exception cref="UnauthorizedAccessException">As before.</exception>
    public OwnProgram Take(Product product, ProductProgram found, string? stamp)
    {
        if (found.Path.StartsWith(paths.Data + "/", StringComparison.Ordinal)) return new(found.Version.ToString(), found.Path, stamp ?? "", "", found.Path, stamp ?? "", found.Why);
        var folder = Path.Combine(paths.Programs, product.Name);
        DurableFolders.Create(folder);
        foreach (var left in Directory.EnumerateDirectories(folder, Unfinished + "*")) Directory.Delete(left, recursive: true);
        var fresh = Path.Combine(folder, Unfinished + Guid.NewGuid().ToString("N")[..8]);
        try
        {
            DurableFolders.Create(fresh);
            var copy = Path.Combine(fresh, product.Program);
            File.Copy(found.Path, copy);
            File.SetUnixFileMode(copy, Executable);
            var sum = SumAndSync(copy);
            if (stamp is not null && ProgramStamp.Of(found.Path) != stamp) throw new IOException($"{found.Path} was replaced while it was copied.");
            var final = Path.Combine(folder, $"{found.Version}-{sum[..DigestShown]}");
            // One with this name may be damaged: it is why a new one is made.
            if (Directory.Exists(final)) Directory.Delete(final, recursive: true);
            DurableFolders.Sync(fresh);
            Directory.Move(fresh, final);
            DurableFolders.Sync(folder);
            var path = Path.Combine(final, product.Program);
            return new(found.Version.ToString(), path, ProgramStamp.Of(path)!, sum, found.Path, stamp ?? "", found.Why);
        }
        catch
        {
            if (Directory.Exists(fresh)) Directory.Delete(fresh, recursive: true);
            throw;
        }
    }

    /// <summary>Removes copies that nothing uses any more; returns their folders.</summary>
    /// <param name="used">Files that are in use, each with its whole path. Asked only if there is something to remove.</param>
    public IReadOnlyList<string> RemoveUnused(Func<IEnumerable<string>> used)
    {
        if (!Directory.Exists(paths.Programs)) return [];
        var own = All.Values.Select(p => p.Path).ToList();
        var others = Directory.EnumerateDirectories(paths.Programs).SelectMany(Directory.EnumerateDirectories).Where(folder => !own.Any(Within(folder))).ToList();
        if (others.Count == 0) return [];
        var files = used().ToList();
        var unused = others.Where(folder => !files.Any(Within(folder))).ToList();
        foreach (var folder in unused) Directory.Delete(folder, recursive: true);
        return unused;
    }

    /// <summary>The SHA-256 of a file, in hexadecimal digits. Takes a tenth of a second for each 100 MB.</summary>
    public static string Sum(string file)
    {
        using var stream = File.OpenRead(file);
        return Convert.ToHexStringLower(SHA256.HashData(stream));
    }

    private static Func<string, bool> Within(string folder) => file => file.StartsWith(folder + "/", StringComparison.Ordinal);

    private static string SumAndSync(string file)
    {
        using var stream = new FileStream(file, FileMode.Open, FileAccess.ReadWrite);
        var sum = Convert.ToHexStringLower(SHA256.HashData(stream));
        RandomAccess.FlushToDisk(stream.SafeFileHandle);
        return sum;
    }
}
