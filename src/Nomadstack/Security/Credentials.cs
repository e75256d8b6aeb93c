// SPDX-License-Identifier: MPL-2.0
using System.Security.Cryptography.X509Certificates;

namespace Nomadstack.Security;

/// <summary>What this node shows to one product's agents, and whom it believes there.</summary>
/// <param name="CaFile">The authorities that count, as PEM. Always a new file renamed over the old: a reload that meets half a file ends the program (Nomad from 1.10).</param>
/// <param name="CertificateFile">The node's certificate for this product, for servers, clients and callers alike.</param>
/// <param name="KeyFile">Its key.</param>
internal sealed record Credentials(string CaFile, string CertificateFile, string KeyFile, X509Certificate2Collection Ca, X509Certificate2 Certificate);
