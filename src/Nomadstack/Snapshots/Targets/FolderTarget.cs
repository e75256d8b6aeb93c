// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Storage;

namespace Nomadstack.Snapshots.Targets;

/// <summary>A folder, such as a mounted share.</summary>
internal sealed class FolderTarget(string folder) : ISnapshotTarget
{
    public Task<IReadOnlyList<TargetCopy>> ListAsync(CancellationToken cancel) => GuardedAsync<IReadOnlyList<TargetCopy>>(() => Task.FromResult<IReadOnlyList<TargetCopy>>(
        // A folder that is not there is most likely a share that is not mounted. Made here, it would fill this node's own disk.
        !Directory.Exists(folder) ? throw new ProblemException(SnapshotProblems.Target(folder, "there is no such folder"))
        : [.. new DirectoryInfo(folder).EnumerateFiles("*" + SnapshotStore.Extension).Select(f => new TargetCopy(f.Name[..^SnapshotStore.Extension.Length], f.Length)).Where(c => SnapshotStore.IsName(c.Name))]));

    public Task PutAsync(string path, SnapshotRecord record, CancellationToken cancel) => GuardedAsync(async () =>
    {
        await using var from = File.OpenRead(path);
        return await WholeFile.WriteAsync(
            folder,
            record.Name + SnapshotStore.Extension,
            async to =>
            {
                await from.CopyToAsync(to, cancel);
                return true;
            },
            async part =>
            {
                if (await SnapshotStore.SumAsync(part, cancel) != record.Sha256) throw new ProblemException(SnapshotProblems.CopyDiffers(record.Name, folder));
            });
    });

    public Task DeleteAsync(string name, CancellationToken cancel) => GuardedAsync(() =>
    {
        File.Delete(PathOf(name));
        return Task.FromResult(true);
    });

    private string PathOf(string name) => Path.Combine(folder, name + SnapshotStore.Extension);

    private async Task<T> GuardedAsync<T>(Func<Task<T>> work)
    {
        try
        {
            return await work();
        }
        catch (Exception e) when (e is not ProblemException && Trouble.IsOfTheMachine(e))
        {
            throw new ProblemException(SnapshotProblems.Target(folder, e.Message), e);
        }
    }
}
