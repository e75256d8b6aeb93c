// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.State;
using Shouldly;
using Xunit;

namespace Nomadstack.Engine.Tests.State;

public sealed class TableTests
{
    private sealed record Row(string Key, string Colour, string Size);

    private static readonly Table<Row> Empty = new(r => r.Key, r => r.Colour, r => r.Size);

    [Fact]
    public void FindsRowsByEveryIndexAfterAnyChange()
    {
        var random = new Random(11);
        var expected = new SortedDictionary<string, Row>(StringComparer.Ordinal);
        var table = Empty;
        for (var index = 1; index <= 2000; index++)
        {
            var row = new Row("k" + random.Next(50), new[] { "", "red", "blue" }[random.Next(3)], "s" + random.Next(5));
            if (random.Next(3) == 0)
            {
                expected.Remove(row.Key);
                table = table.Remove(row.Key, index);
            }
            else
            {
                expected[row.Key] = row;
                table = table.Put(row, index);
            }

            table.All.ShouldBe(expected.Values);
            table.By(0, row.Colour).ShouldBe(expected.Values.Where(r => r.Colour == row.Colour && r.Colour.Length > 0));
            table.By(1, row.Size).ShouldBe(expected.Values.Where(r => r.Size == row.Size));
        }
    }

    [Fact]
    public void RemovingWhatIsNotThereIsNoChange()
    {
        var table = Empty.Put(new Row("a", "red", "1"), 5);

        table.Remove("b", 9).Index.ShouldBe(5);
        table.Remove("a", 9).Index.ShouldBe(9);
        table.Get("a").ShouldNotBeNull();
    }
}
