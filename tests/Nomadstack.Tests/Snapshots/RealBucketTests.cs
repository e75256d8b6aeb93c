// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics;
using System.Net.Sockets;
using System.Security.Cryptography;
using Nomadstack.Archives;
using Nomadstack.Cluster;
using Nomadstack.Snapshots;
using Nomadstack.Snapshots.Targets;
using Nomadstack.Tests.Peers;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Snapshots;

/// <summary>Against a server of S3 that others wrote, s3rver of npm. It knows keys and does not check signatures of version 4; those are the library's.</summary>
public sealed class RealBucketTests
{
    /// <summary>The keys that s3rver has.</summary>
    private const string Keys = "aws_access_key_id=S3RVER\naws_secret_access_key=S3RVER\n";

    private static readonly TimeSpan s_install = TimeSpan.FromMinutes(3), s_start = TimeSpan.FromSeconds(30);

    [SkippableFact]
    public async Task ACopyIsPutListedAndDeletedAndWrongKeysAreNamed()
    {
        var program = await InstallAsync();
        var folder = Directory.CreateTempSubdirectory("nomadstack-s3rver-").FullName;
        var port = TestNode.FreePort("127.0.0.1");
        using var server = Process.Start(new ProcessStartInfo(program, ["--directory", folder, "--address", "127.0.0.1", "--port", $"{port}", "--silent", "--configure-bucket", "backups"]))!;
        try
        {
            await UntilItListensAsync(port);
            using var target = new S3Target(At(port), BucketKeys.Parse(Keys));
            var path = Path.Combine(folder, "archive");
            // Larger than what the library sends as one chunk.
            await File.WriteAllBytesAsync(path, RandomNumberGenerator.GetBytes(9_000_000));
            var record = Record(path);

            await target.PutAsync(path, record, default);

            (await target.ListAsync(default)).ShouldBe([new TargetCopy(record.Name, record.Size)]);
            await target.DeleteAsync(record.Name, default);
            (await target.ListAsync(default)).ShouldBeEmpty();

            using var stranger = new S3Target(At(port), BucketKeys.Parse(Keys.Replace("id=S3RVER", "id=STRANGER", StringComparison.Ordinal)));
            (await Should.ThrowAsync<ProblemException>(() => stranger.ListAsync(default))).Problem.Why.ShouldContain("InvalidAccessKeyId");
            using var elsewhere = new S3Target(At(port) with { Name = "nowhere" }, BucketKeys.Parse(Keys));
            (await Should.ThrowAsync<ProblemException>(() => elsewhere.ListAsync(default))).Problem.Why.ShouldContain("NoSuchBucket");
        }
        finally
        {
            server.Kill(entireProcessTree: true);
            await server.WaitForExitAsync();
            Directory.Delete(folder, recursive: true);
        }
    }

    private static TargetAddress.Bucket At(int port) => (TargetAddress.Bucket)TargetAddress.Parse($"s3://backups/nomad?endpoint=http://127.0.0.1:{port}");

    private static SnapshotRecord Record(string path) => new()
    {
        Name = "20261128T120000Z-0123abcd",
        Manifest = new ArchiveManifest { Release = "0.1.0", ClusterId = "0123abcd", TakenAt = DateTimeOffset.UnixEpoch, Node = "n1" },
        Size = new FileInfo(path).Length,
        Sha256 = Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(path))),
        KeyId = "0",
    };

    /// <summary>s3rver, in a cache of the tests' own.</summary>
    private static async Task<string> InstallAsync()
    {
        var cache = Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } given ? given : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache");
        var folder = Path.Combine(cache, "nomadstack-tests", "s3rver");
        var program = Path.Combine(folder, "node_modules", ".bin", "s3rver");
        if (File.Exists(program)) return program;
        var npm = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Select(f => Path.Combine(f, "npm")).FirstOrDefault(File.Exists);
        Skip.If(npm is null, "npm is not on the PATH; with it, the test installs s3rver");
        Directory.CreateDirectory(folder);
        using var install = Process.Start(new ProcessStartInfo(npm!, ["install", "--prefix", folder, "--no-audit", "--no-fund", "s3rver@3.7.1"]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var said = install.StandardError.ReadToEndAsync();
        _ = install.StandardOutput.ReadToEndAsync();
        await install.WaitForExitAsync().WaitAsync(s_install);
        Skip.If(install.ExitCode != 0, $"npm could not install s3rver: {await said}");
        return program;
    }

    private static async Task UntilItListensAsync(int port)
    {
        var began = Stopwatch.StartNew();
        while (true)
        {
            try
            {
                using var probe = new TcpClient();
                await probe.ConnectAsync("127.0.0.1", port);
                return;
            }
            catch (SocketException) when (began.Elapsed < s_start)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(100));
            }
        }
    }
}
