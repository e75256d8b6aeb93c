// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging;

namespace Nomadstack.Engine.Tests.Conformance;

/// <summary>One log for all categories.</summary>
internal sealed class OneLog(ILogger log) : ILoggerFactory
{
    public ILogger CreateLogger(string categoryName) => log;

    public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException("This log has one end.");

    public void Dispose()
    {
        // The log is its owner's.
    }
}
