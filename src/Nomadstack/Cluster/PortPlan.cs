// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Cluster;

/// <summary>Every static port of one node (design: "Ports"). A server that returns on its node returns at the same address.</summary>
internal sealed record PortPlan
{
    public int Peers { get; set; } = 4640;

    public int NomadClientHttp { get; set; } = 4646;
    public int NomadServerHttp { get; set; } = 4649;
    public int NomadServerRpc { get; set; } = 4647;
    public int NomadServerSerf { get; set; } = 4648;
    public int NomadBootstrapHttp { get; set; } = 14646;
    public int NomadBootstrapRpc { get; set; } = 14647;
    public int NomadBootstrapSerf { get; set; } = 14648;

    public int ConsulClientHttp { get; set; } = 8500;
    public int ConsulClientSerf { get; set; } = 8301;
    public int ConsulClientDns { get; set; } = 8600;
    public int ConsulServerHttp { get; set; } = 8510;
    public int ConsulServerRpc { get; set; } = 8300;
    public int ConsulServerSerf { get; set; } = 8311;
    public int ConsulBootstrapHttp { get; set; } = 18500;
    public int ConsulBootstrapRpc { get; set; } = 18300;
    public int ConsulBootstrapSerf { get; set; } = 18301;
}

/// <summary>The two products whose servers we run, named as the driver's <c>role</c> and the job's prefix name them.</summary>
internal static class Role
{
    public const string Nomad = "nomad";
    public const string Consul = "consul";

    public static IReadOnlyList<string> All { get; } = [Nomad, Consul];

    public static bool IsKnown(string role) => role is Nomad or Consul;

    public static string JobId(string role) => role + "-server";
}
