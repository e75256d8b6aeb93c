// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using Microsoft.Extensions.Logging;
using Nomadstack.Engine.Http;

namespace Nomadstack.Engine;

/// <summary>An agent's log on its standard error, a line each, in the form of Nomad's.</summary>
/// <param name="tap">Who reads along may want more than the level.</param>
internal sealed class AgentLog(string level, TimeProvider time, LogTap tap) : ILoggerFactory
{
    private readonly Lock _gate = new();

    private volatile int _least = (int)Least(level);

    /// <summary>Nomad's word for the least that is written; may change at any time.</summary>
    public string Level
    {
        set => _least = (int)Least(value);
    }

    private LogLevel TapLevel => tap.Least;

    public ILogger CreateLogger(string categoryName) => new Lines(this, categoryName);

    public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException("This log writes to standard error only.");

    public void Dispose()
    {
        // Every line is written at once.
    }

    private static LogLevel Least(string level) => level.ToUpperInvariant() switch
    {
        "TRACE" => LogLevel.Trace,
        "DEBUG" => LogLevel.Debug,
        "WARN" => LogLevel.Warning,
        "ERR" or "ERROR" => LogLevel.Error,
        _ => LogLevel.Information,
    };

    private void Write(LogLevel level, string category, string text)
    {
        var name = level switch { LogLevel.Trace => "TRACE", LogLevel.Debug => "DEBUG", LogLevel.Warning => "WARN", LogLevel.Error or LogLevel.Critical => "ERROR", _ => "INFO" };
        var line = string.Create(CultureInfo.InvariantCulture, $"    {time.GetUtcNow():yyyy-MM-ddTHH:mm:ss.fffZ} [{name}] {category}: {text}");
        tap.Write(level, line);
        if (level < (LogLevel)_least) return;
        lock (_gate) Console.Error.WriteLine(line);
    }

    private sealed class Lines(AgentLog log, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => (logLevel >= (LogLevel)log._least || logLevel >= log.TapLevel) && logLevel != LogLevel.None;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel)) log.Write(logLevel, category, exception is null ? formatter(state, exception) : $"{formatter(state, exception)}: {exception}");
        }
    }
}
