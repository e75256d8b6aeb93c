// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using Microsoft.Extensions.Logging;
using Nomadstack.Storage;

namespace Nomadstack.Node;

/// <summary>
/// The agent's own log: one line per event in <c>log/agent.log</c>, and on standard error unless progress is shown there.
/// Never throws: a full disk must not stop the agent from keeping servers alive.
/// </summary>
internal sealed class AgentLog(NodePaths paths, bool toStandardError, TimeProvider time) : ILoggerProvider
{
    private readonly string _file = Path.Combine(paths.Log, "agent.log");
    private readonly Lock _lock = new();

    /// <summary>While it says so, only warnings and errors go into the file: what little room the disk has is for raft.</summary>
    public Func<bool> IsSparing { private get; init; } = () => false;

    public ILogger CreateLogger(string categoryName) => new Category(this, categoryName[(categoryName.LastIndexOf('.') + 1)..]);

    public void Dispose()
    {
    }

    private void Write(string line, LogLevel level)
    {
        lock (_lock)
        {
            if (toStandardError) Console.Error.WriteLine(line);
            if (level < LogLevel.Warning && IsSparing()) return;
            try
            {
                // Opened for each line: rotation truncates the file.
                File.AppendAllText(_file, line + "\n");
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                if (!toStandardError) Console.Error.WriteLine($"{line} (not in {_file}: {e.Message})");
            }
        }
    }

    private sealed class Category(AgentLog log, string name) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            var at = log.Now.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
            log.Write($"{at} {Word(logLevel)} {name}: {formatter(state, exception)}{(exception is null ? "" : " | " + exception)}", logLevel);
        }

        private static string Word(LogLevel level) => level switch
        {
            LogLevel.Critical or LogLevel.Error => "ERROR",
            LogLevel.Warning => "WARN ",
            _ => "INFO ",
        };
    }

    private DateTimeOffset Now => time.GetUtcNow();
}
