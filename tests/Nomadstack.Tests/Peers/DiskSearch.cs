// SPDX-License-Identifier: MPL-2.0
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Nomadstack.Tests.Peers;

/// <summary>Reads every byte of a folder and looks for secrets, in each form in which they could be there: as text, in JSON, as PEM, in base64, in hex and raw.</summary>
internal static class DiskSearch
{
    /// <summary>What was found, as <c>name (form) in file</c>; empty for nothing.</summary>
    public static IReadOnlyList<string> For(string folder, params IEnumerable<(string Name, string Secret)> secrets) =>
        In(folder, Directory.EnumerateFiles(folder, "*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = 0, IgnoreInaccessible = false }), secrets);

    /// <summary>The same in these files of a folder.</summary>
    public static IReadOnlyList<string> In(string folder, IEnumerable<string> files, IEnumerable<(string Name, string Secret)> secrets)
    {
        var wanted = secrets.SelectMany(s => Forms(s.Secret).Select(f => (s.Name, f.Form, f.Bytes))).ToList();
        return [.. from file in files
            let bytes = File.ReadAllBytes(file)
            from secret in wanted
            where bytes.AsSpan().IndexOf(secret.Bytes) >= 0
            select $"{secret.Name} ({secret.Form}) in {Path.GetRelativePath(folder, file)}"];
    }

    private static IEnumerable<(string Form, byte[] Bytes)> Forms(string secret)
    {
        yield return ("text", Encoding.UTF8.GetBytes(secret.Trim()));
        // .NET escapes a plus sign, which is in every other key.
        yield return ("JSON", Encoding.UTF8.GetBytes(JsonSerializer.Serialize(secret.Trim())[1..^1]));
        yield return ("base64", Encoding.ASCII.GetBytes(Convert.ToBase64String(Encoding.UTF8.GetBytes(secret))));
        if (PemEncoding.TryFind(secret, out var pem))
        {
            // The private number itself, in whatever a key is wrapped: 32 bytes that are nowhere else.
            using var key = ECDsa.Create();
            key.ImportFromPem(secret);
            var number = key.ExportParameters(includePrivateParameters: true).D!;
            yield return ("lines of PEM", Encoding.ASCII.GetBytes(secret[pem.Base64Data].Split('\n')[0].Trim()));
            yield return ("raw key", number);
            yield return ("key in hex", Encoding.ASCII.GetBytes(Convert.ToHexStringLower(number)));
            yield return ("key in base64", Encoding.ASCII.GetBytes(Convert.ToBase64String(number)));
            yield return ("DER in base64", Encoding.ASCII.GetBytes(Convert.ToBase64String(key.ExportPkcs8PrivateKey())));
        }
        else if (Guid.TryParse(secret, out var id))
        {
            yield return ("raw id", id.ToByteArray(bigEndian: true));
            yield return ("id without dashes", Encoding.ASCII.GetBytes(id.ToString("N")));
        }
        else if (Convert.TryFromBase64String(secret, new byte[secret.Length], out _) && Convert.FromBase64String(secret) is { Length: >= 16 } raw)
        {
            yield return ("raw key", raw);
            yield return ("key in hex", Encoding.ASCII.GetBytes(Convert.ToHexStringLower(raw)));
        }
    }
}
