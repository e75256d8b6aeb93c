// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Api;
using Nomadstack.Cli.Options;

namespace Nomadstack.Cli.Output;

/// <summary>
/// Shows on standard error what happens and what it waits for. On a terminal the running step is a live line.
/// Elsewhere there are only plain lines, one per change, without control characters, at most 80 columns wide.
/// </summary>
internal sealed class ProgressWriter(Surroundings here)
{
    /// <summary>Where a line cannot be overwritten, a shorter step gets no line of its own.</summary>
    private static readonly TimeSpan s_worthALine = TimeSpan.FromSeconds(1);

    private const int MarkWidth = 3, TimeWidth = 11;

    private readonly Dictionary<string, int> _shown = [];
    private string _lastPlain = "";
    private bool _liveLine;

    /// <summary>Prints the steps finished since the last call, and what runs now.</summary>
    public void Show(Operation operation)
    {
        var shown = _shown.GetValueOrDefault(operation.Id);
        foreach (var step in operation.Done.Skip(shown)) Done(step.Step, TimeSpan.FromSeconds(step.Seconds));
        _shown[operation.Id] = Math.Max(shown, operation.Done.Count);
        if (operation.State != Operation.Running) return;
        var text = (operation.Step.Length, operation.Reason.Length) is (0, > 0) ? $"wait for {operation.Reason}" : operation.Reason.Length > 0 ? $"{operation.Step}: {operation.Reason}" : operation.Step;
        Waiting(text, here.Time.GetUtcNow() - (operation.StepStartedAt == default ? operation.StartedAt : operation.StepStartedAt));
    }

    public void Done(string text, TimeSpan? took = null) => Line(here.Unicode ? "✓" : "ok", text, took);

    public void Failed(string text) => Line(here.Unicode ? "✗" : "!!", text, null);

    public void Note(string text) => Line(here.Unicode ? "·" : "--", text, null);

    /// <summary>Something to copy into a shell: a line of its own, never broken.</summary>
    public void Command(string text)
    {
        Clear();
        here.Error.WriteLine(new string(' ', MarkWidth + 2) + text);
        here.Error.Flush();
    }

    /// <summary>What it waits for and for how long. May be called at any rate.</summary>
    public void Waiting(string text, TimeSpan elapsed)
    {
        text = Prose.OneLine(text);
        if (here.LiveError)
        {
            var time = Duration.Show(elapsed);
            var room = here.Width - 1 - MarkWidth - 2 - time.Length;
            here.Error.Write($"\r{(here.Unicode ? "…" : ".."),-MarkWidth + 1} {Prose.Cut(text, room)}  {time}\u001b[K");
            here.Error.Flush();
            _liveLine = true;
        }
        else if (elapsed >= s_worthALine && text != _lastPlain)
        {
            Line(here.Unicode ? "…" : "..", text, null);
            _lastPlain = text;
        }
    }

    /// <summary>Removes the live line, so that something else can be written.</summary>
    public void Clear()
    {
        if (!_liveLine) return;
        here.Error.Write("\r\u001b[K");
        _liveLine = false;
    }

    private void Line(string mark, string text, TimeSpan? took)
    {
        Clear();
        var width = Math.Min(here.Width, Surroundings.PlainWidth);
        var lines = Prose.Wrap(text, width - MarkWidth - (took is null ? 0 : TimeWidth));
        for (var i = 0; i < lines.Count; i++)
        {
            var line = (i == 0 ? mark : "").PadRight(MarkWidth) + lines[i];
            if (took is { } time && i == lines.Count - 1) line = line.PadRight(width - TimeWidth) + Duration.Show(time).PadLeft(TimeWidth);
            here.Error.WriteLine(line.TrimEnd());
        }

        here.Error.Flush();
    }
}
