// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Engine.Client;

/// <summary>The folders of one allocation, as Nomad lays them out: <c>alloc</c> shared by its tasks, and one for each task.</summary>
/// <remarks><c>secrets</c> is an ordinary folder here, where HashiCorp's client mounts a tmpfs for root.</remarks>
internal sealed class AllocDir(string root)
{
    private const UnixFileMode Everybody = (UnixFileMode)511;
    private const UnixFileMode Readable = (UnixFileMode)493;

    public string Root { get; } = root;

    public string Shared => Path.Combine(Root, "alloc");

    public string Logs => Path.Combine(Shared, "logs");

    public bool Exists => Directory.Exists(Root);

    public string Task(string task) => Path.Combine(Root, task);

    public string Local(string task) => Path.Combine(Root, task, "local");

    public string Secrets(string task) => Path.Combine(Root, task, "secrets");

    public void BuildShared()
    {
        Make(Root, Readable);
        foreach (var folder in new[] { Shared, Logs, Path.Combine(Shared, "tmp"), Path.Combine(Shared, "data") }) Make(folder, Everybody);
    }

    public void BuildTask(string task)
    {
        Make(Task(task), Everybody);
        Make(Local(task), Everybody);
        Make(Secrets(task), Everybody);
        Make(Path.Combine(Task(task), "tmp"), Everybody | UnixFileMode.StickyBit);
    }

    public void Delete()
    {
        if (Exists) Directory.Delete(Root, recursive: true);
    }

    private static void Make(string folder, UnixFileMode mode)
    {
        Directory.CreateDirectory(folder);
        // Afterwards: the umask takes bits away at creation.
        File.SetUnixFileMode(folder, mode);
    }
}
