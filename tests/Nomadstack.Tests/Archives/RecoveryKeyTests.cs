// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Archives;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Archives;

public sealed class RecoveryKeyTests
{
    [Fact]
    public void AKeyIsReadAsItIsShownAndAsItIsTyped()
    {
        for (var i = 0; i < 100; i++)
        {
            var key = RecoveryKey.Make();
            key.Text.ShouldMatch("^([0-9A-Z]{5}-){5}[0-9A-Z]{5}$");
            foreach (var typed in (string[])[key.Text, key.Text.ToLowerInvariant(), key.Text.Replace("-", " ", StringComparison.Ordinal), key.Text.Replace('0', 'o').Replace('1', 'L') + "\n"])
            {
                RecoveryKey.TryParse(typed, out var read).ShouldBeTrue(typed);
                read!.Text.ShouldBe(key.Text);
            }
        }
    }

    [Fact]
    public void OneWrongCharacterIsNoticed()
    {
        var (wrong, missed) = (0, 0);
        for (var i = 0; i < 50; i++)
        {
            var text = RecoveryKey.Make().Text;
            for (var at = 0; at < text.Length; at++)
            {
                if (text[at] == '-') continue;
                wrong++;
                if (RecoveryKey.TryParse(string.Concat(text.AsSpan(0, at), text[at] == '7' ? "8" : "7", text.AsSpan(at + 1)), out _)) missed++;
            }
        }

        // One in a million passes.
        (wrong, missed).ShouldBe((1500, 0));
    }

    [Fact]
    public void AKeyIsNotInItsOwnText() => RecoveryKey.Make().ToString().ShouldBe("a recovery key");

    [Theory]
    [InlineData("")]
    [InlineData("ABCDE")]
    [InlineData("!!!!!-AAAAA-AAAAA-AAAAA-AAAAA-AAAAA")]
    public void WhatIsNoKeyIsRefused(string typed) => RecoveryKey.TryParse(typed, out _).ShouldBeFalse();
}
