// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Preflight;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Preflight;

public sealed class MountTests
{
    private const string Table = """
        22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro
        23 22 0:20 / /run rw,nosuid,nodev,noexec shared:2 - tmpfs tmpfs rw,size=100k
        24 22 8:2 / /srv/my\040disk rw,noexec - xfs /dev/sdb1 rw
        25 22 8:3 / /over rw - ext4 /dev/sdc1 rw
        26 25 0:30 / /over rw - tmpfs tmpfs rw

        """;

    [Theory]
    [InlineData("/var/lib/x", "/", false, false)]
    [InlineData("/run/x", "/run", true, true)]
    [InlineData("/running", "/", false, false)]
    [InlineData("/srv/my disk", "/srv/my disk", false, true)]
    [InlineData("/over/x", "/over", true, false)]
    public void FindsTheMountThatHoldsAFolder(string folder, string point, bool inMemory, bool noExec)
    {
        var mount = Mount.Of(folder, Table)!;

        (mount.Point, mount.InMemory, mount.NoExec, mount.ReadOnly).ShouldBe((point, inMemory, noExec, false));
    }
}
