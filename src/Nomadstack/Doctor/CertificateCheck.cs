// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using Nomadstack.Api;
using Nomadstack.Security;

namespace Nomadstack.Doctor;

/// <summary>What the certificates and keys of a node have to say. Pure.</summary>
internal static class CertificateCheck
{
    private const string Check = "certificates";

    public static IEnumerable<Finding> Of(NodeCertificates certificates)
    {
        List<Finding> wrong = [.. certificates.Faults.Select(f => Finding.Problem(Check, f))];
        foreach (var certificate in certificates.All)
        {
            if (CertificateProblems.Of(certificate) is not { } problem) continue;
            wrong.Add(certificate.State is CertificateStatus.EndsSoon or CertificateStatus.Overdue ? Finding.Warning(Check, problem) : Finding.Problem(Check, problem));
        }

        if (wrong.Count > 0) return wrong;
        // Where there is none there is nothing to say.
        return certificates.All.Count == 0
            ? []
            : [Finding.Ok(Check, $"this node's end from {First(CertificateStatus.Node)} on, and are renewed; their authorities from {First(CertificateStatus.Authority)} on")];

        string First(string kind) => certificates.All.Where(c => c.Kind == kind).Min(c => c.Ends)?.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture) ?? "never";
    }
}
