// SPDX-License-Identifier: MPL-2.0
using System.Text;
using Nomadstack.Engine.Client.Drivers;
using Shouldly;
using Xunit;

namespace Nomadstack.Engine.Tests.Client;

public sealed class LogRotatorTests : IDisposable
{
    private readonly TempFolder _folder = new();

    [Fact]
    public void Full_files_are_followed_by_others_and_the_oldest_go()
    {
        using (var rotator = new LogRotator(_folder.Path, "t.stdout", files: 2, size: 10))
            foreach (var line in new[] { "first\n", "second\n", "third\n", "fourth\n" }) Write(rotator, line);

        Files().ShouldBe(["t.stdout.2", "t.stdout.3"]);
        Read(2).ShouldBe("third\n");
        Read(3).ShouldBe("fourth\n");
    }

    [Fact]
    public void A_line_is_not_split_unless_it_is_longer_than_a_file()
    {
        using (var rotator = new LogRotator(_folder.Path, "t.stdout", files: 9, size: 10))
        {
            Write(rotator, "1234567\nabcdef\n");
            Write(rotator, new string('x', 25));
        }

        Read(0).ShouldBe("1234567\n");
        string.Concat(Enumerable.Range(1, 4).Where(i => File.Exists(_folder[$"t.stdout.{i}"])).Select(Read)).ShouldBe("abcdef\n" + new string('x', 25));
    }

    [Fact]
    public void The_next_one_goes_on_in_the_last_file()
    {
        using (var first = new LogRotator(_folder.Path, "t.stdout", 5, 10)) Write(first, "12345678\nabc");
        using (var second = new LogRotator(_folder.Path, "t.stdout", 5, 10)) Write(second, "def\n");

        Read(1).ShouldBe("abcdef\n");
    }

    [Fact]
    public void Tasks_whose_names_begin_alike_do_not_share_files()
    {
        using (var one = new LogRotator(_folder.Path, "t.stdout", 1, 4)) Write(one, "a\nb\nc\nd\ne\n");
        File.WriteAllText(_folder["t.stdout.x.0"], "other");
        using (var two = new LogRotator(_folder.Path, "t.stdout", 1, 4)) Write(two, "f\ng\n");

        File.ReadAllText(_folder["t.stdout.x.0"]).ShouldBe("other");
    }

    public void Dispose() => _folder.Dispose();

    private static void Write(LogRotator rotator, string text) => rotator.Write(Encoding.UTF8.GetBytes(text));

    private string Read(int index) => File.ReadAllText(_folder[$"t.stdout.{index}"]);

    private List<string> Files() => [.. Directory.EnumerateFiles(_folder.Path).Select(f => Path.GetFileName(f)!).Order(StringComparer.Ordinal)];
}
