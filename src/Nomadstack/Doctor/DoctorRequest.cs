// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Doctor;

/// <summary>What an agent here would be told: the same words as its options.</summary>
internal sealed record DoctorRequest(string? Bind, string? NomadProgram, string? ConsulProgram);
