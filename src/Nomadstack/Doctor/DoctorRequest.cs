// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Doctor;

/// <summary>What an agent here would be given, named like its options.</summary>
/// <param name="Programs">Paths of the products' programs, by product. Others are searched for.</param>
internal sealed record DoctorRequest(string? Bind, IReadOnlyDictionary<string, string> Programs);
