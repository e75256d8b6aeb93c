// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Doctor;

/// <summary>What an agent here would be told: the same words as its options.</summary>
/// <param name="Programs">Paths of products' programs, by product; the others are looked for.</param>
internal sealed record DoctorRequest(string? Bind, IReadOnlyDictionary<string, string> Programs);
