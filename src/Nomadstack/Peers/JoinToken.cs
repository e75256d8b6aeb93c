// SPDX-License-Identifier: MPL-2.0
using System.Security.Cryptography;
using System.Text;
using Nomadstack.Cluster;

namespace Nomadstack.Peers;

/// <summary>
/// What an operator carries to a new node: <c>K1&lt;CA hash&gt;.&lt;id&gt;.&lt;secret&gt;</c>. The new node uses the hash to recognise
/// the cluster before it sends the secret. The cluster uses the secret (128 random bits) to recognise the operator.
/// </summary>
internal sealed record JoinToken(string CaPin, string Id, string Secret)
{
    private const string Prefix = "K1";
    private const string IdAlphabet = "abcdefghijklmnopqrstuvwxyz0123456789";
    private const int PinLength = 64, IdLength = 10, SecretLength = 32;

    /// <summary>The only thing that the membership keeps of the secret.</summary>
    public string SecretHash => Hash(Secret);

    public static JoinToken Mint(string caPin) =>
        new(caPin, RandomNumberGenerator.GetString(IdAlphabet, IdLength), RandomNumberGenerator.GetHexString(SecretLength, lowercase: true));

    /// <summary>Reads a token that was typed or read from a file. White space around it is ignored.</summary>
    /// <exception cref="ProblemException"><c>join/malformed-token</c>; says which part is wrong and never contains the secret.</exception>
    public static JoinToken Parse(string text)
    {
        var token = text.Trim();
        if (token.Length == 0) throw Malformed("It is empty.");
        if (!token.StartsWith(Prefix, StringComparison.Ordinal)) throw Malformed($"It does not begin with {Prefix}.");
        var parts = token[Prefix.Length..].Split('.');
        if (parts.Length != 3) throw Malformed($"It has {parts.Length} part{(parts.Length == 1 ? "" : "s")} separated by dots, and must have 3. It may be cut off.");
        if (!IsHex(parts[0], PinLength)) throw Malformed($"Its first part must be {Prefix} and {PinLength} of the characters 0-9 and a-f.");
        if (parts[1].Length != IdLength || parts[1].Any(c => !IdAlphabet.Contains(c, StringComparison.Ordinal))) throw Malformed($"Its second part must be {IdLength} lower-case letters and digits.");
        if (!IsHex(parts[2], SecretLength)) throw Malformed($"Its last part must be {SecretLength} of the characters 0-9 and a-f. It may be cut off.");
        return new JoinToken(parts[0], parts[1], parts[2]);
    }

    public static string Hash(string secret) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(secret)));

    /// <summary>Whether <paramref name="secret"/> is the secret of <paramref name="entry"/>. Takes the same time in both cases.</summary>
    public static bool Matches(TokenEntry entry, string secret) =>
        CryptographicOperations.FixedTimeEquals(Encoding.ASCII.GetBytes(Hash(secret)), Encoding.ASCII.GetBytes(entry.SecretHash));

    /// <summary>The whole token with its secret: only for the operator, never for a log.</summary>
    public string Reveal() => $"{Prefix}{CaPin}.{Id}.{Secret}";

    /// <summary>Without the secret, in case a token gets into a message by accident.</summary>
    public override string ToString() => $"token {Id}";

    private static bool IsHex(string text, int length) => text.Length == length && text.All(char.IsAsciiHexDigitLower);

    private static ProblemException Malformed(string why) =>
        new(JoinProblems.TokenDamaged(why));
}
