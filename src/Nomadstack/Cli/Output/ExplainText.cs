// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using Nomadstack.Explain;

namespace Nomadstack.Cli.Output;

/// <summary>An explanation for people: paragraphs, with their steps below them.</summary>
internal static class ExplainText
{
    /// <summary>As wide as <c>+1234.5 s</c>.</summary>
    private const int TimeWidth = 9;

    public static void Write(Surroundings here, Explanation explanation)
    {
        var width = explanation.Parts.SelectMany(p => p.Steps).Select(s => s.Node.Length).DefaultIfEmpty(0).Max();
        for (var i = 0; i < explanation.Parts.Count; i++)
        {
            var part = explanation.Parts[i];
            if (i > 0) here.Out.WriteLine();
            foreach (var line in Prose.Wrap(part.Topic == "next" ? "What to do: " + part.Text : part.Text, Surroundings.PlainWidth)) here.Out.WriteLine(line);
            foreach (var step in part.Steps) Step(step);
        }

        here.Out.Flush();

        void Step(ExplainedStep step)
        {
            var head = string.Create(CultureInfo.InvariantCulture, $"  {$"+{step.Seconds:0.0} s".PadLeft(TimeWidth)}  {Prose.OneLine(step.Node).PadRight(width)}  ");
            foreach (var line in Prose.Wrap(step.Text, Math.Max(20, Surroundings.PlainWidth - head.Length)))
            {
                here.Out.WriteLine(head + line);
                head = new string(' ', head.Length);
            }
        }
    }
}
