// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Security;

/// <summary>What a person or a tool may do. Each product has its own policies for it.</summary>
internal static class PersonRole
{
    /// <summary>See everything but secrets.</summary>
    public const string Read = "read";

    /// <summary>Also run and stop jobs, drain nodes, and write keys and services.</summary>
    public const string Operate = "operate";

    /// <summary>Do anything.</summary>
    public const string Admin = "admin";

    public static IReadOnlyList<string> All { get; } = [Read, Operate, Admin];
}
