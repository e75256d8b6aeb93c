// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Api;

namespace Nomadstack.Security;

/// <summary>How a certificate stands. Pure.</summary>
internal static class CertificateVerdict
{
    /// <summary>A person must act, and may be on holiday.</summary>
    public static readonly TimeSpan Soon = TimeSpan.FromDays(30);

    /// <summary>A person must act now.</summary>
    public static readonly TimeSpan Alarm = TimeSpan.FromDays(7);

    /// <summary>How long a renewal may be due. The agent looks for due ones every minute or hour, and an agent that was off does so when it starts.</summary>
    public static readonly TimeSpan Late = TimeSpan.FromDays(1);

    /// <summary>
    /// The state, as <see cref="CertificateStatus.State"/> has it. Only what no renewal mends is worth a word: an agent renews its node's certificate when a third of its life
    /// is left.
    /// </summary>
    /// <param name="renewableUntil">How far a renewal could take it, for a certificate that the agent renews: the end of its authority. Null for one that nobody renews.</param>
    public static string Of(DateTimeOffset from, DateTimeOffset until, DateTimeOffset? renewableUntil, DateTimeOffset now)
    {
        if (now < from) return CertificateStatus.NotYetValid;
        if (now >= until) return CertificateStatus.Ended;
        var left = until - now;
        if (renewableUntil is { } latest)
        {
            // One that ends with its authority is as good as any new one. What is to be said is said of the authority.
            if (until >= latest || left >= ((until - from) / 3) - Late) return CertificateStatus.Fine;
            return left <= Alarm ? CertificateStatus.Urgent : CertificateStatus.Overdue;
        }

        return left <= Alarm ? CertificateStatus.Urgent : left <= Soon ? CertificateStatus.EndsSoon : CertificateStatus.Fine;
    }
}
