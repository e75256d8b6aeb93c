// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.HashiCorp.RaftData;

/// <summary>A file of raft's says what no program would have written, or what this reader does not know. Never leaves this folder: see <see cref="RaftDataFolder.Read"/>.</summary>
internal sealed class RaftDataException(string message) : Exception(message);
