// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Cluster;

/// <summary>Every static port of one node (design: "Ports"). A server that returns on its node returns at the same address.</summary>
internal sealed record PortPlan
{
    public int Peers { get; init; } = 4640;

    public int NomadClientHttp { get; init; } = 4646;
    public int NomadServerHttp { get; init; } = 4649;
    public int NomadServerRpc { get; init; } = 4647;
    public int NomadServerSerf { get; init; } = 4648;
    public int NomadBootstrapHttp { get; init; } = 14646;
    public int NomadBootstrapRpc { get; init; } = 14647;
    public int NomadBootstrapSerf { get; init; } = 14648;

    public int ConsulClientHttp { get; init; } = 8500;
    public int ConsulClientSerf { get; init; } = 8301;
    public int ConsulClientDns { get; init; } = 8600;
    public int ConsulServerHttp { get; init; } = 8510;
    public int ConsulServerRpc { get; init; } = 8300;
    public int ConsulServerSerf { get; init; } = 8311;
    public int ConsulBootstrapHttp { get; init; } = 18500;
    public int ConsulBootstrapRpc { get; init; } = 18300;
    public int ConsulBootstrapSerf { get; init; } = 18301;
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
