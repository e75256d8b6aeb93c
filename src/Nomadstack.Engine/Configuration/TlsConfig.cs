// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Engine.Configuration;

/// <summary>The <c>tls</c> block.</summary>
internal sealed record TlsConfig
{
    public const string Tls12 = "tls12", Tls13 = "tls13";

    public static readonly TlsConfig Off = new();

    /// <summary>The HTTP port speaks HTTPS.</summary>
    public bool Http { get; init; }

    /// <summary>Agents among themselves, raft included, speak TLS and each shows a certificate.</summary>
    public bool Rpc { get; init; }

    public string CaFile { get; init; } = "";

    /// <summary>The leaf, then what is between it and the CA.</summary>
    public string CertFile { get; init; } = "";

    public string KeyFile { get; init; } = "";

    /// <summary>Between agents the names of certificates count, and not only who signed them.</summary>
    public bool VerifyServerHostname { get; init; }

    /// <summary>The HTTP port asks for a certificate too.</summary>
    public bool VerifyHttpsClient { get; init; }

    /// <summary>A server also takes agents that do not speak TLS yet.</summary>
    public bool RpcUpgradeMode { get; init; }

    public string MinVersion { get; init; } = Tls12;

    public bool Enabled => Http || Rpc;

    public static TlsConfig Of(ConfigBlock? block, ConfigComplaints complaints)
    {
        if (block is null) return Off;
        var tls = new TlsConfig
        {
            Http = block.Flag("http", false),
            Rpc = block.Flag("rpc", false),
            CaFile = block.Text("ca_file") ?? "",
            CertFile = block.Text("cert_file") ?? "",
            KeyFile = block.Text("key_file") ?? "",
            VerifyServerHostname = block.Flag("verify_server_hostname", false),
            VerifyHttpsClient = block.Flag("verify_https_client", false),
            RpcUpgradeMode = block.Flag("rpc_upgrade_mode", false),
            MinVersion = block.Text("tls_min_version") is { Length: > 0 } version ? version : Tls12,
        };
        if (tls.MinVersion is not (Tls12 or Tls13)) complaints.Add("tls.tls_min_version", $"\"{tls.MinVersion}\" is not spoken by the embedded engine, only {Tls12} and {Tls13}");
        if (block.Text("tls_cipher_suites") is { Length: > 0 }) complaints.Add("tls.tls_cipher_suites", "the embedded engine takes the system's cipher suites; remove the key");
        block.End();
        return tls;
    }
}
