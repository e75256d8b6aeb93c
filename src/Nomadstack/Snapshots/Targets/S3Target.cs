// SPDX-License-Identifier: MPL-2.0
using System.Security.Cryptography;
using Amazon.Runtime;
using Amazon.S3;
using Nomadstack.Cluster;

namespace Nomadstack.Snapshots.Targets;

/// <summary>A bucket at Amazon or any server that speaks S3.</summary>
/// <param name="keys">Null for what the agent's surroundings give: the standard variables, the file in the home folder, the machine's role.</param>
/// <param name="patience">How long an answer is waited for; 30 s where nothing is given.</param>
internal sealed class S3Target(TargetAddress.Bucket address, BucketKeys? keys, TimeSpan? patience = null) : ISnapshotTarget, IDisposable
{
    private readonly TimeSpan _answer = patience ?? TimeSpan.FromSeconds(30);

    /// <summary>The slowest that is worth waiting for.</summary>
    private const int SlowestBytesPerSecond = 64 * 1024;

    private readonly Lazy<AmazonS3Client> _client = new(() => Connect(address, keys));

    private string Where => $"{address.Endpoint?.ToString().TrimEnd('/') ?? "s3:/"}/{address.Name}/{address.Prefix}";

    public Task<IReadOnlyList<TargetCopy>> ListAsync(CancellationToken cancel) => GuardedAsync<IReadOnlyList<TargetCopy>>(_answer, async within =>
    {
        var (copies, next) = (new List<TargetCopy>(), (string?)null);
        do
        {
            var page = await _client.Value.ListObjectsV2Async(new() { BucketName = address.Name, Prefix = address.Prefix, ContinuationToken = next }, within);
            copies.AddRange((page.S3Objects ?? []).Where(o => o.Key.EndsWith(SnapshotStore.Extension, StringComparison.Ordinal)).Select(o => new TargetCopy(o.Key[address.Prefix.Length..^SnapshotStore.Extension.Length], o.Size ?? 0)));
            next = page.IsTruncated == true ? page.NextContinuationToken : null;
        }
        while (next is not null);
        return [.. copies.Where(c => SnapshotStore.IsName(c.Name))];
    }, cancel);

    public async Task PutAsync(string path, SnapshotRecord record, CancellationToken cancel)
    {
        var deadline = _answer + TimeSpan.FromSeconds((double)record.Size / SlowestBytesPerSecond);
        await GuardedAsync(deadline, async within =>
        {
            await using var file = File.OpenRead(path);
            // Without chunks the signature is of the whole body, which every server knows.
            return await _client.Value.PutObjectAsync(new() { BucketName = address.Name, Key = KeyOf(record.Name), InputStream = file, AutoCloseStream = false, UseChunkEncoding = false, ContentType = "application/pgp-encrypted" }, within);
        }, cancel);
        if (await GuardedAsync(deadline, within => SumAsync(record.Name, within), cancel) == record.Sha256) return;
        await DeleteAsync(record.Name, cancel);
        throw new ProblemException(SnapshotProblems.CopyDiffers(record.Name, Where));
    }

    public Task DeleteAsync(string name, CancellationToken cancel) => GuardedAsync(_answer, within => _client.Value.DeleteObjectAsync(address.Name, KeyOf(name), within), cancel);

    public void Dispose()
    {
        if (_client.IsValueCreated) _client.Value.Dispose();
    }

    private string KeyOf(string name) => address.Prefix + name + SnapshotStore.Extension;

    /// <summary>An object that is not there has no sum: a server may say that it has taken what it has not.</summary>
    private async Task<string> SumAsync(string name, CancellationToken cancel)
    {
        try
        {
            using var answer = await _client.Value.GetObjectAsync(address.Name, KeyOf(name), cancel);
            return Convert.ToHexStringLower(await SHA256.HashDataAsync(answer.ResponseStream, cancel));
        }
        catch (AmazonS3Exception e) when (e.StatusCode == System.Net.HttpStatusCode.NotFound)
        {
            return "";
        }
    }

    private async Task<T> GuardedAsync<T>(TimeSpan deadline, Func<CancellationToken, Task<T>> work, CancellationToken cancel)
    {
        using var within = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        within.CancelAfter(deadline);
        try
        {
            return await work(within.Token);
        }
        catch (Exception e) when (!cancel.IsCancellationRequested && e is AmazonServiceException or AmazonClientException or HttpRequestException or IOException or OperationCanceledException)
        {
            var why = within.IsCancellationRequested ? $"it did not answer within {deadline.TotalSeconds:0} s"
                : e is AmazonServiceException { ErrorCode: { Length: > 0 } code } ? $"it answered {code}: {e.Message}"
                : e.GetBaseException().Message;
            throw new ProblemException(SnapshotProblems.Target(Where, why), e);
        }
    }

    private static AmazonS3Client Connect(TargetAddress.Bucket address, BucketKeys? keys)
    {
        var config = new AmazonS3Config
        {
            // Sums in trailers are Amazon's own. What counts here is read back as a whole.
            RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED,
            ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED,
            MaxErrorRetry = 2,
        };
        if (address.Endpoint is { } endpoint)
        {
            (config.ServiceURL, config.ForcePathStyle) = (endpoint.ToString(), true);
            config.AuthenticationRegion = address.Region ?? Amazon.RegionEndpoint.USEast1.SystemName;
        }
        else if (address.Region is { } region)
        {
            config.RegionEndpoint = Amazon.RegionEndpoint.GetBySystemName(region);
        }

        return keys is null ? new(config)
            : new(keys.Token is { } token ? new SessionAWSCredentials(keys.Id, keys.Secret, token) : new BasicAWSCredentials(keys.Id, keys.Secret), config);
    }
}
