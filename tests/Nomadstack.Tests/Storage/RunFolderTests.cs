// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics;
using Nomadstack.Cluster;
using Nomadstack.Ground.Kernel;
using Nomadstack.Storage;
using Nomadstack.Tests.Products;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Storage;

public sealed class RunFolderTests : IDisposable
{
    private const uint Alice = 1000;
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void IsMadeForItsOwnerAlone()
    {
        var folder = Path.Combine(_folder.Path, "run");

        RunFolder.Prepare(folder);
        RunFolder.Prepare(folder);

        File.GetUnixFileMode(folder).ShouldBe(OwnerOnly);
    }

    [Fact]
    public void OneThatIsOpenToOthersIsClosed()
    {
        var folder = Path.Combine(_folder.Path, "run");
        Directory.CreateDirectory(folder);
        File.SetUnixFileMode(folder, OwnerOnly | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute);

        RunFolder.Prepare(folder);

        File.GetUnixFileMode(folder).ShouldBe(OwnerOnly);
    }

    [Fact]
    public void ALinkIsRefused()
    {
        var folder = Path.Combine(_folder.Path, "run");
        Directory.CreateDirectory(Path.Combine(_folder.Path, "elsewhere"));
        File.CreateSymbolicLink(folder, Path.Combine(_folder.Path, "elsewhere"));

        var problem = Should.Throw<ProblemException>(() => RunFolder.Prepare(folder)).Problem;

        problem.Code.ShouldBe("agent/run-folder");
        problem.Why.ShouldContain("symbolic link");
    }

    [Fact]
    public async Task OneOfAnotherUserIsRefused()
    {
        // Root can give one away; anybody else has root's to look at.
        var folder = Libc.GetEffectiveUserId() == 0 ? Path.Combine(_folder.Path, "run") : "/usr";
        if (Libc.GetEffectiveUserId() == 0)
        {
            Directory.CreateDirectory(folder);
            using var chown = Process.Start(new ProcessStartInfo("chown", ["12345", folder]))!;
            await chown.WaitForExitAsync();
        }

        var problem = Should.Throw<ProblemException>(() => RunFolder.Prepare(folder)).Problem;

        problem.Code.ShouldBe("agent/run-folder");
        problem.Unsafe.ShouldBeTrue();
        problem.What.ShouldContain(folder);
    }

    [Fact]
    public void AnOrdinaryUsersIsInTheDataFolderWhateverTheLoginSays()
    {
        NodePaths.RunOf("/home/alice/data", Alice, null).ShouldBe("/home/alice/data/run");
        NodePaths.RunOf("/home/alice/data", Alice, "/run/user/1000").ShouldBe("/home/alice/data/run");
    }

    [Fact]
    public void NobodyElsesFolderIsTakenWhereASocketsPathWouldBeTooLong()
    {
        var long1 = "/home/alice/" + new string('d', 90);

        // The folder belongs to whoever runs these tests, and that is not Alice.
        NodePaths.RunOf(long1, Alice, _folder.Path).ShouldStartWith($"{Path.GetTempPath()}nomadstack-{Alice}/nomadstack-");
        NodePaths.RunOf(long1, Libc.GetEffectiveUserId() == 0 ? 0u : Libc.GetEffectiveUserId(), _folder.Path).Length.ShouldBeLessThan(82);
    }

    [Fact]
    public void RootsIsBelowRun() => NodePaths.RunOf("/data", 0, "/run/user/1000").ShouldStartWith("/run/nomadstack-");
}
