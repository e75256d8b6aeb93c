// SPDX-License-Identifier: MPL-2.0
using System.Text.Json;

namespace Nomadstack.Peers;

/// <summary>The rules for a secret, from a peer or from the disk.</summary>
internal static class SecretRules
{
    public const int MaxSecrets = 128, MaxBytes = 16 * 1024, MaxBoxes = 1024;

    /// <summary>The secret, or why it is refused.</summary>
    public static (Secret? Secret, string? Why) Read(SealedSecret? given)
    {
        if (given is null || given.Secret.ValueKind != JsonValueKind.Object) return (null, "it is not an object");
        if (CanonicalJson.Complaint(given.Secret) is { } complaint) return (null, complaint);
        Secret secret;
        try
        {
            secret = Entries.Read(given.Secret, SecretsJson.Default.Secret);
        }
        catch (JsonException e)
        {
            return (null, $"{e.Path ?? "it"} cannot be read");
        }

        var why = !MembershipRules.IsSettingName(secret.Name ?? "") ? "name must be lower-case letters, digits, dots and dashes"
            : secret.Version is < 1 or > MembershipRules.MaxIncarnation ? "version is out of bounds"
            : !MembershipRules.IsUuid(secret.Writer) ? "writer is not a UUID"
            : secret.Deleted != (secret.Content is null) || secret.Deleted != (secret.Commit is null) ? "it must either have content or be deleted"
            : secret.Content is { } content && (!SecretSealing.IsContent(content) || content.Length > MaxBytes + 64) ? "content has an impossible length"
            : secret.Commit is { Length: not 32 } ? "commit is not a SHA-256"
            : secret.Signed is not { Key.Length: > 0 and <= 256, Proof.Length: 64, Value.Length: 64 } signed || !MembershipRules.IsUuid(signed.By) ? "it is not signed"
            : secret.Unknown?.Count > 32 ? "it has too many unknown fields"
            : given.Boxes is null || given.Boxes.Count > MaxBoxes ? "it has no boxes or too many"
            : given.Boxes.Any(b => !MembershipRules.IsUuid(b.Key) || b.Value is not { Key.Length: SecretSealing.BoxBytes } || !MembershipRules.IsPin(b.Value.Pin)) ? "one of its boxes is not valid"
            : null;
        return why is null ? (secret, null) : (null, why);
    }
}
