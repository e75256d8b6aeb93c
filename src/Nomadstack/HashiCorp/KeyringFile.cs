// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;
using Nomadstack.Storage;

namespace Nomadstack.HashiCorp;

/// <summary>
/// The file in which an agent keeps its gossip keys, the one that it encrypts with first. Once it exists, the key in the configuration is ignored (serf, run on 1.6.10 and 2.0.5), and an
/// agent that was off while the others changed keys hears nobody until its file has theirs.
/// </summary>
internal static class KeyringFile
{
    /// <summary>Whether an agent with these files encrypts with another key than the one that counts. False where a file does not exist: then the configuration's key counts.</summary>
    public static bool IsOld(IEnumerable<string> files, (string? Key, string? Next) keys) =>
        // While keys are replaced, the agents' own calls change them.
        keys is (string key, null) && files.Any(f => Read(f) is [var primary, ..] && primary != key);

    /// <summary>Puts what counts into the files of an agent that does not run.</summary>
    public static void Update(IEnumerable<string> files, (string? Key, string? Next) keys)
    {
        if (keys.Key is not { } key) return;
        foreach (var file in files)
        {
            if (Read(file) is not { } held) continue;
            // The others may still use what they had, until all have the next one.
            IReadOnlyList<string> wanted = keys.Next is { } next ? [.. held.Prepend(next).Prepend(key).Distinct()] : [key];
            if (!wanted.SequenceEqual(held)) DurableText.Write(file, JsonSerializer.Serialize(wanted, ProductsJson.Default.IReadOnlyListString));
        }
    }

    /// <summary>Null where the file does not exist or is not a keyring: then its agent says what is wrong with it.</summary>
    private static IReadOnlyList<string>? Read(string file)
    {
        try
        {
            return File.Exists(file) ? JsonSerializer.Deserialize(File.ReadAllText(file), ProductsJson.Default.IReadOnlyListString) : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
