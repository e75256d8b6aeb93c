// SPDX-License-Identifier: MPL-2.0
using System.Text;
using Nomadstack.Cluster;
using Nomadstack.Storage;

namespace Nomadstack.Peers;

/// <summary>The files in <c>pki/</c>. Each is written completely or not at all, and is on disk when its write returns.</summary>
internal static class PkiFiles
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode OwnerFolder = OwnerOnly | UnixFileMode.UserExecute;

    public static string CaCertificate(NodePaths paths) => Path.Combine(paths.Pki, "ca.crt");
    public static string CaKey(NodePaths paths) => Path.Combine(paths.Pki, "ca.key");
    public static string NodeCertificate(NodePaths paths) => Path.Combine(paths.Pki, "node.crt");
    public static string NodeKey(NodePaths paths) => Path.Combine(paths.Pki, "node.key");

    /// <summary>The CA's proof for the node's key: its kind and a signature.</summary>
    public static string NodeProof(NodePaths paths) => Path.Combine(paths.Pki, "node.proof");

    /// <summary>The text of a file, or null when it does not exist.</summary>
    public static string? Read(string path)
    {
        try
        {
            return File.Exists(path) ? File.ReadAllText(path) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ProblemException(PeerProblems.Unreadable(path, e.Message), e);
        }
    }

    public static void Write(string path, string text)
    {
        var folder = Path.GetDirectoryName(path)!;
        var temp = path + ".tmp";
        try
        {
            DurableFolders.Create(folder, OwnerFolder);
            using (var stream = new FileStream(temp, new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, UnixCreateMode = OwnerOnly }))
            {
                stream.Write(Encoding.ASCII.GetBytes(text));
                stream.Flush(flushToDisk: true);
            }

            File.Move(temp, path, overwrite: true);
            DurableFolders.Sync(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ProblemException(PeerProblems.Unwritable(path, folder, e.Message), e);
        }
    }

    public static void Delete(string path)
    {
        File.Delete(path);
        if (Path.GetDirectoryName(path) is { } folder && Directory.Exists(folder)) DurableFolders.Sync(folder);
    }
}
