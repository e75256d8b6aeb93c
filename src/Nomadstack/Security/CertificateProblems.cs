// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using Nomadstack.Api;
using Nomadstack.Cluster;

namespace Nomadstack.Security;

/// <summary>What can be wrong with a certificate or its key on this node, in words for an operator.</summary>
internal static class CertificateProblems
{
    private const string WhatFollows = "Then its holders refuse each other, and what runs goes on without being managed.";

    /// <summary>Null for one that is fine.</summary>
    public static Problem? Of(CertificateStatus certificate) => certificate switch
    {
        { State: CertificateStatus.NotYetValid } => NotYetValid(certificate),
        { State: CertificateStatus.Fine or CertificateStatus.Unreadable } => null,
        { Kind: CertificateStatus.Authority } => AuthorityEnds(certificate),
        _ => NotRenewed(certificate),
    };

    private static Problem AuthorityEnds(CertificateStatus authority) => new(
        "certificate/authority-ends",
        $"{authority.Whose} {Ends(authority)}.",
        $"An authority is not renewed by itself. {WhatFollows}",
        "Set this machine's clock if it is ahead. If it is right: " + (authority.Product == CertificateStatus.OurAgents
            ? "this authority cannot be replaced yet, so make a new cluster before that day and move the jobs."
            : $"`nomadstack rotate ca --product {authority.Product}` replaces it while the cluster runs."));

    private static Problem NotRenewed(CertificateStatus certificate) => new(
        "certificate/not-renewed",
        $"{certificate.Whose} {Ends(certificate)}, and should have been renewed.",
        $"The agent renews it when a third of its life is left. It did not: it was off, this clock is in doubt, or no server node was there to sign. {WhatFollows}",
        "Start the agent, and correct what `nomadstack doctor` says of the clock. If it is not renewed within an hour, the agent's log says why.");

    private static Problem NotYetValid(CertificateStatus certificate) => new(
        "certificate/not-yet-valid",
        $"{certificate.Whose} is not valid yet.",
        "By this machine's clock it has not been made yet.",
        "Set the clock, best with a time service (NTP). Certificates are made valid from a day before.");

    public static Problem Unreadable(string file, string why) => new(
        "certificate/unreadable",
        $"{file} cannot be read.",
        why,
        "Run `nomadstack doctor` as the user that runs the agent. If that is so, restore the file. The agent makes a product's certificate anew when its file is gone.");

    public static Problem OtherKey(string product, string certificate, string key) => new(
        "certificate/other-key",
        $"{certificate} does not belong to {key}.",
        "The certificate was made for another key. Files of two nodes or of two times were mixed.",
        product == CertificateStatus.OurAgents
            ? "Restore both from one backup."
            : $"Restart the agent: it makes a certificate for this key. `nomadstack rotate certs --product {product}` replaces both.");

    public static Problem OtherAuthority(string certificate, string authorities) => new(
        "certificate/other-authority",
        $"{certificate} was not signed by an authority of {authorities}.",
        "Files of two clusters or of two times were mixed, or the authority was changed and the certificate not yet.",
        "Start the agent: it makes a new certificate. If it does not, its log says why.");

    public static Problem OpenKey(string product, string key, UnixFileMode mode) => new(
        "certificate/open-key",
        $"Others than its owner can read or write {key}.",
        $"Its mode is {Convert.ToString((int)mode, 8)}. Whoever has the key can speak for this node.",
        $"chmod 600 {key}. If somebody may have read it: " + (product == CertificateStatus.OurAgents
            ? "the agents' own keys cannot be replaced yet, so make a new cluster."
            : $"`nomadstack rotate certs --product {product}` makes a new one."));

    private static string Ends(CertificateStatus certificate) =>
        string.Create(CultureInfo.InvariantCulture, $"{(certificate.State == CertificateStatus.Ended ? "ended" : "ends")} on {certificate.Ends:yyyy-MM-dd}");
}
