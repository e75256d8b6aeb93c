// SPDX-License-Identifier: MPL-2.0
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;

namespace Nomadstack.Archives;

/// <summary>
/// What opens the archives of a cluster: a text that a person can keep on paper. 26 random characters of Crockford's base32 (130 bits) and 4 that check them, in six groups of
/// five.
/// The text with its dashes is the passphrase, so <c>gpg</c> takes it as it is shown.
/// </summary>
internal sealed record RecoveryKey
{
    private const string Alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

    private const int Random = 26, Check = 4, Group = 5;

    private RecoveryKey(string text) => Text = text;

    /// <summary>The passphrase.</summary>
    public string Text { get; }

    public static RecoveryKey Make()
    {
        var characters = RandomNumberGenerator.GetString(Alphabet, Random);
        return new(Grouped(characters + CheckOf(characters)));
    }

    /// <summary>Reads what a person typed: lower case, spaces, no dashes, O for 0, I and L for 1. False if a character is wrong or missing.</summary>
    public static bool TryParse(string typed, [NotNullWhen(true)] out RecoveryKey? key)
    {
        key = null;
        var text = new StringBuilder();
        foreach (var c in typed.ToUpperInvariant())
        {
            if (c == '-' || char.IsWhiteSpace(c)) continue;
            var read = c switch { 'O' => '0', 'I' or 'L' => '1', _ => c };
            if (!Alphabet.Contains(read)) return false;
            text.Append(read);
        }

        var all = text.ToString();
        if (all.Length != Random + Check || CheckOf(all[..Random]) != all[Random..]) return false;
        key = new(Grouped(all));
        return true;
    }

    /// <summary>Never the key: a record's own text would show it in a log.</summary>
    public override string ToString() => "a recovery key";

    private static string CheckOf(string characters)
    {
        var hash = SHA256.HashData(Encoding.ASCII.GetBytes(characters));
        return string.Concat(hash.Take(Check).Select(b => Alphabet[b % Alphabet.Length]));
    }

    private static string Grouped(string characters) => string.Join('-', characters.Chunk(Group).Select(g => new string(g)));
}
