// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Cli.Output;

/// <summary>Asks a person before something is done that cannot be taken back.</summary>
internal static class Consent
{
    /// <summary>True at once with <paramref name="given"/> and where nobody sits at a terminal: there the command itself was the decision.</summary>
    public static bool To(Surroundings here, string question, bool given)
    {
        if (given || !here.CanAsk) return true;
        here.Error.Write($"{question} [y/N] ");
        here.Error.Flush();
        if (here.In.ReadLine()?.Trim() is "y" or "Y" or "yes") return true;
        here.Error.WriteLine("Nothing was changed.");
        return false;
    }
}
