// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Net;

namespace Nomadstack.Preflight;

/// <summary>What the kernel says of an IPv6 address (include/uapi/linux/if_addr.h, IFA_F_*).</summary>
[Flags]
internal enum AddressFlags
{
    None = 0,

    /// <summary>Made up by the privacy extensions; another one takes its place within a day.</summary>
    Temporary = 0x01,

    /// <summary>Another machine has it.</summary>
    Duplicate = 0x08,

    /// <summary>On its way out: it still answers, and is to be taken for nothing new.</summary>
    Deprecated = 0x20,

    /// <summary>Not yet known to be ours alone; nothing can listen on it.</summary>
    Tentative = 0x40,

    /// <summary>Set by an administrator, without an end.</summary>
    Permanent = 0x80,

    /// <summary>What a node can listen on now is none of these.</summary>
    NotYet = Duplicate | Tentative,

    /// <summary>What a node can be known by for life is none of these.</summary>
    Passing = Temporary | Deprecated | NotYet,
}

/// <summary>Reads <c>/proc/net/if_inet6</c>: address, interface's number, length of the prefix, scope, flags, interface.</summary>
internal static class InterfaceTable
{
    public static IReadOnlyDictionary<IPAddress, AddressFlags> Parse(string text)
    {
        var flags = new Dictionary<IPAddress, AddressFlags>();
        foreach (var line in text.Split('\n'))
        {
            if (line.Split(' ', StringSplitOptions.RemoveEmptyEntries) is not [{ Length: 32 } address, _, _, _, var bits, _]) continue;
            flags[new IPAddress(Convert.FromHexString(address))] = (AddressFlags)int.Parse(bits, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        }

        return flags;
    }
}
