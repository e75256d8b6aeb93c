// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using Nomadstack.Cli;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Cli;

public sealed class BrowserTests : IDisposable
{
    private const UnixFileMode Executable = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private readonly string _folder = Directory.CreateTempSubdirectory("nomadstack-browser-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>Ctrl-C goes to the terminal's processes, and a browser that this has started must not be one of them.</summary>
    [Fact]
    public async Task TheDesktopIsToldTheAddressOutsideOfOurSession()
    {
        var (helper, told) = (Path.Combine(_folder, "xdg-open"), Path.Combine(_folder, "told"));
        await File.WriteAllTextAsync(helper, $"#!/bin/sh\necho noise\necho \"$1 $(cut -d' ' -f1,6 /proc/$$/stat)\" > {told}.tmp\nmv {told}.tmp {told}\n");
        File.SetUnixFileMode(helper, Executable);

        Browser.Open("http://127.0.0.1:1/enter?code=a&b='c'", "/nonexistent:" + _folder).ShouldBeNull();

        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (!File.Exists(told)) await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System, deadline.Token);
        var words = (await File.ReadAllTextAsync(told)).Trim().Split(' ');
        words[0].ShouldBe("http://127.0.0.1:1/enter?code=a&b='c'");
        // The leader of a session has its own number.
        int.Parse(words[2], CultureInfo.InvariantCulture).ShouldBe(int.Parse(words[1], CultureInfo.InvariantCulture));
    }

    [Fact]
    public void WithoutADesktopsHelperThatIsSaid() => Browser.Open("http://127.0.0.1:1/", _folder).ShouldBe("there is no xdg-open here");
}
