// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack;

internal static class Program
{
    private static int Main()
    {
        Console.Error.WriteLine("nomadstack: the command line is being laid");
        return 2;
    }
}
