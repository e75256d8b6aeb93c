// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Doctor;

namespace Nomadstack.Cli.Output;

/// <summary>The doctor's findings for people: first a summary, then every check, with why and fix below those that failed.</summary>
internal static class DoctorText
{
    private const int CheckWidth = 13;

    public static void Write(Surroundings here, DoctorDocument document)
    {
        var (problems, warnings) = (Count(Finding.Fails), Count(Finding.Warns));
        here.Out.WriteLine((problems, warnings) switch
        {
            (0, 0) => "no problems found",
            (0, _) => Number(warnings, "warning"),
            (_, 0) => Number(problems, "problem"),
            _ => $"{Number(problems, "problem")}, {Number(warnings, "warning")}",
        });
        here.Out.WriteLine();
        foreach (var finding in document.Checks)
        {
            Lines(finding.State, finding.Check.PadRight(CheckWidth), finding.What);
            if (finding.Why.Length > 0) Lines("", "why:", finding.Why);
            if (finding.Fix.Length > 0) Lines("", "fix:", finding.Fix);
        }

        here.Out.Flush();

        int Count(string state) => document.Checks.Count(f => f.State == state);
        void Lines(string state, string label, string text)
        {
            // Why and fix are indented below their check.
            var head = state.Length > 0 ? state.PadRight(Finding.Warns.Length + 2) + label : new string(' ', Finding.Warns.Length + 2) + label.PadRight(6);
            foreach (var line in Prose.Wrap(text, Surroundings.PlainWidth - head.Length))
            {
                here.Out.WriteLine(head + line);
                head = new string(' ', head.Length);
            }
        }
    }

    private static string Number(int n, string word) => n == 1 ? $"1 {word}" : $"{n} {word}s";
}
