// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Primitives;

namespace Nomadstack.Relay;

/// <summary>Who has been let in: whoever showed the one-time code has the cookie from then on, as long as the relay runs. Both are 256 random bits.</summary>
internal sealed class Session(int port, TimeProvider time)
{
    /// <summary>Long enough to copy an address to another window, short enough to be worth nothing in a history.</summary>
    public static readonly TimeSpan CodeLife = TimeSpan.FromMinutes(2);

    private readonly string _secret = Random();
    private readonly long _made = time.GetTimestamp();
    private int _spent;

    /// <summary>What the address carries.</summary>
    public string Code { get; } = Random();

    public DateTimeOffset CodeEnds { get; } = time.GetUtcNow() + CodeLife;

    /// <summary>A browser sends a cookie to every port of a host: the name tells ours from another relay's.</summary>
    public string CookieName { get; } = string.Create(CultureInfo.InvariantCulture, $"nomadstack-ui-{port}");

    /// <summary>Spends the code. Returns the header that sets the cookie, or null: the code is wrong, too old, or spent.</summary>
    public string? Enter(string? code)
    {
        if (!Same(code, Code) || time.GetElapsedTime(_made) > CodeLife || Interlocked.Exchange(ref _spent, 1) != 0) return null;
        return $"{CookieName}={_secret}; Path=/; HttpOnly; SameSite=Strict";
    }

    /// <summary>Whether the browser's cookies have ours. Another server on this host may have set one of the same name: it must not shut us out.</summary>
    public bool Knows(StringValues cookies) =>
        cookies.SelectMany(line => (line ?? "").Split(';', StringSplitOptions.TrimEntries))
            .Any(cookie => cookie.StartsWith(CookieName + "=", StringComparison.Ordinal) && Same(cookie[(CookieName.Length + 1)..], _secret));

    private static string Random() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));

    private static bool Same(string? given, string secret) =>
        given is not null && CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(given), Encoding.UTF8.GetBytes(secret));
}
