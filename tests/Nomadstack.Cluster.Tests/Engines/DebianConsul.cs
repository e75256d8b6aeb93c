// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster.Tests.Machines;

namespace Nomadstack.Cluster.Tests.Engines;

/// <summary>
/// Debian's own Consul, of its bullseye suite, for machines that have none: fetched by name into a cache of the tests' own,
/// through a private apt state whose sources are the machine's with the suite replaced. Nothing on the system changes.
/// </summary>
internal static class DebianConsul
{
    private const string Suite = "bullseye";
    private static readonly TimeSpan s_deadline = TimeSpan.FromMinutes(3);

    private static string Cache => Path.Combine(
        Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } given ? given : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache"),
        "nomadstack-tests");

    /// <summary>The program, or null and the reason why there is none.</summary>
    public static async Task<(string? Program, string? WhyNot)> FetchAsync()
    {
        var program = Path.Combine(Cache, "consul", "usr/bin/consul");
        if (File.Exists(program)) return (program, null);
        if (Command.Find("apt-get") is null || Command.Find("dpkg-deb") is null) return (null, "no `consul` on the PATH, NOMADSTACK_CONSUL is not set, and this is no Debian to take it from");
        if (Sources() is not { } sources) return (null, "no `consul` on the PATH, NOMADSTACK_CONSUL is not set, and apt on this machine has no Debian archive to take it from");

        var apt = Path.Combine(Cache, "apt");
        foreach (var folder in new[] { "state/lists/partial", "cache/archives/partial", "parts", "download" }) Directory.CreateDirectory(Path.Combine(apt, folder));
        await File.WriteAllTextAsync(Path.Combine(apt, "sources.list"), sources);
        string[] options =
        [
            "-q", "-o", $"Dir::State={apt}/state", "-o", $"Dir::Cache={apt}/cache", "-o", "Dir::State::status=/dev/null",
            "-o", $"Dir::Etc::SourceList={apt}/sources.list", "-o", $"Dir::Etc::SourceParts={apt}/parts",
            "-o", "Acquire::Languages=none", "-o", "Acquire::Check-Valid-Until=false", "-o", "Acquire::Retries=1",
            "-o", "Acquire::http::Timeout=20", "-o", "Acquire::https::Timeout=20", "-o", "APT::Sandbox::User=root",
        ];
        try
        {
            var update = await Command.RunAsync(["apt-get", .. options, "update"], s_deadline);
            var download = await Command.RunAsync(["apt-get", .. options, "download", "consul"], s_deadline, folder: Path.Combine(apt, "download"));
            if (download.ExitCode != 0) return (null, $"no `consul` on the PATH, NOMADSTACK_CONSUL is not set, and Debian's {Suite} suite gave none: {LastLine(update)} {LastLine(download)}");
            var package = Directory.GetFiles(Path.Combine(apt, "download"), "consul_*.deb").Order().Last();
            var unpacked = Path.Combine(Cache, $"consul.{Environment.ProcessId}");
            await Command.MustAsync("dpkg-deb", "-x", package, unpacked);
            Directory.Move(unpacked, Path.Combine(Cache, "consul"));
            return (program, null);
        }
        catch (TimeoutException late)
        {
            return (null, $"no `consul` on the PATH, NOMADSTACK_CONSUL is not set, and Debian's archive did not answer: {late.Message.Split('\n')[0]}");
        }
    }

    /// <summary>The machine's own Debian archive, with the suite replaced: one-line format, security and update suites left out.</summary>
    internal static string? Sources(string etc = "/etc/apt")
    {
        var files = new[] { Path.Combine(etc, "sources.list") }
            .Concat(Directory.Exists(Path.Combine(etc, "sources.list.d")) ? Directory.GetFiles(Path.Combine(etc, "sources.list.d")).Order() : Enumerable.Empty<string>())
            .Where(File.Exists);
        foreach (var file in files)
        {
            var text = File.ReadAllText(file);
            var line = file.EndsWith(".sources", StringComparison.Ordinal) ? FromStanzas(text) : FromLines(text);
            if (line is not null) return line;
        }

        return null;
    }

    private static string? FromStanzas(string text)
    {
        var lines = text.Split('\n').Where(line => !line.StartsWith('#'));
        foreach (var stanza in string.Join('\n', lines).Split("\n\n", StringSplitOptions.RemoveEmptyEntries))
        {
            var fields = stanza.Split('\n')
                .Select(line => line.Split(':', 2)).Where(pair => pair.Length == 2)
                .ToDictionary(pair => pair[0].Trim(), pair => pair[1].Trim(), StringComparer.OrdinalIgnoreCase);
            if (fields.TryGetValue("URIs", out var addresses) && fields.TryGetValue("Components", out var components)
                && addresses.Split(' ').FirstOrDefault(IsDebian) is { } address && components.Split(' ').Contains("main"))
            {
                var signed = fields.TryGetValue("Signed-By", out var key) && key.StartsWith('/') ? $"[signed-by={key}] " : "";
                return $"deb {signed}{address} {Suite} main\n";
            }
        }

        return null;
    }

    private static string? FromLines(string text)
    {
        foreach (var line in text.Split('\n').Select(line => line.Trim()).Where(line => line.StartsWith("deb ", StringComparison.Ordinal)))
        {
            var options = line.IndexOf('[') is var open and >= 0 && line.IndexOf(']') is var close && close > open ? line[open..(close + 1)] + " " : "";
            var words = line.Replace(options.Trim() is { Length: > 0 } given ? given : "\0", "", StringComparison.Ordinal).Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (words.Length > 3 && IsDebian(words[1]) && words.Skip(3).Contains("main")) return $"deb {options}{words[1]} {Suite} main\n";
        }

        return null;
    }

    /// <summary>Mirrors keep the archive in a folder called "debian"; "debian-security" is another archive.</summary>
    private static bool IsDebian(string address) => address.TrimEnd('/').EndsWith("/debian", StringComparison.Ordinal);

    private static string LastLine(Output output) => (output.Stderr.Trim().Split('\n').LastOrDefault() ?? "").Trim();
}
