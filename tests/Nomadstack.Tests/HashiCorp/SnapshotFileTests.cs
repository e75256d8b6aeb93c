// SPDX-License-Identifier: MPL-2.0
using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using Nomadstack.HashiCorp;
using Nomadstack.Products;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.HashiCorp;

public sealed class SnapshotFileTests
{
    [Fact]
    public void IndexAndTermAreRead() => SnapshotFile.Read(new MemoryStream(Make())).ShouldBe(new SnapshotFacts(42, 3));

    [Fact]
    public void AShortOneIsRefusedWhereverItEnds()
    {
        var whole = Make();
        for (var length = 0; length < whole.Length; length++)
            Should.Throw<InvalidDataException>(() => SnapshotFile.Read(new MemoryStream(whole[..length])), $"{length} of {whole.Length} bytes");
    }

    [Theory]
    [InlineData("it has another state", "other")]
    [InlineData("it has no state", null)]
    public void OneThatDoesNotMatchItsSumsIsRefused(string because, string? state) =>
        Should.Throw<InvalidDataException>(() => SnapshotFile.Read(new MemoryStream(Make(state))), because);

    [Fact]
    public void OneWithAnotherSizeThanItTellsIsRefused() => Should.Throw<InvalidDataException>(() => SnapshotFile.Read(new MemoryStream(Make(size: 7)))).Message.ShouldContain("should have 7");

    /// <param name="state">What is in it in place of what its sums are of; null for nothing.</param>
    private static byte[] Make(string? state = "state", int? size = null)
    {
        var told = $$"""{"Version":1,"ID":"3-42-1","Index":42,"Term":3,"Size":{{size ?? 5}}}""";
        var sums = $"{Sum(told)}  meta.json\n{Sum("state")}  state.bin\n";
        using var held = new MemoryStream();
        using (var packed = new GZipStream(held, CompressionLevel.Fastest, leaveOpen: true))
        using (var tar = new TarWriter(packed, TarEntryFormat.Ustar))
        {
            foreach (var (name, text) in ((string, string?)[])[("meta.json", told), ("state.bin", state), ("SHA256SUMS", sums)])
            {
                if (text is not null) tar.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(Encoding.ASCII.GetBytes(text)) });
            }
        }

        return held.ToArray();
    }

    private static string Sum(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.ASCII.GetBytes(text)));
}
