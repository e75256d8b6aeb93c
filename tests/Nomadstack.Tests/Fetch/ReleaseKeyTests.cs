// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;
using Nomadstack.Fetch;
using Org.BouncyCastle.Bcpg;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Fetch;

public sealed class ReleaseKeyTests : IDisposable
{
    private static readonly byte[] s_content = "sums"u8.ToArray();

    private readonly string _folder = Directory.CreateTempSubdirectory("nomadstack-key-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void TheKeyThatIsBuiltInIsHashiCorps() => ReleaseKey.HashiCorp().Fingerprint.ShouldBe("C874011F0AB405110D02105534365D9472D7468F");

    [Theory]
    [InlineData(0, true)]
    [InlineData(1, true)]
    [InlineData(2, false)]
    public void ThePrimaryKeySignsAndASubkeyThatMay(int subkey, bool good) =>
        (Key(Signer.Known).Complaint(s_content, Signer.Known.Sign(s_content, subkey)) is null).ShouldBe(good);

    [Fact]
    public void AWeakHashDoesNotCount() =>
        Key(Signer.Known).Complaint(s_content, Signer.Known.Sign(s_content, hash: HashAlgorithmTag.Sha1)).ShouldNotBeNull().ShouldContain("forged");

    [Fact]
    public void AKeyThatHadExpiredDoesNotCount()
    {
        var expired = new Signer(new DateTime(2020, 1, 1, 0, 0, 0, DateTimeKind.Utc), lifetime: 86400);

        Key(expired).Complaint(s_content, expired.Sign(s_content)).ShouldNotBeNull().ShouldContain("expired");
    }

    [Fact]
    public void AFileThatIsNoKeyIsRefused()
    {
        var file = Path.Combine(_folder, "key");
        File.WriteAllText(file, "ssh-ed25519 AAAA");

        Should.Throw<ProblemException>(() => ReleaseKey.From(file)).Problem.Code.ShouldBe("fetch/bad-key");
        Should.Throw<ProblemException>(() => ReleaseKey.From(file + ".asc")).Problem.Code.ShouldBe("fetch/bad-key");
    }

    private ReleaseKey Key(Signer signer) => ReleaseKey.From(signer.KeyIn(_folder));
}
