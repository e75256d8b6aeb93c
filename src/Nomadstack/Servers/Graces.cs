// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Servers;

/// <summary>How long conditions have lasted without interruption. Uses the monotonic clock, so a step of the wall clock has no effect.</summary>
internal sealed class Graces(TimeProvider time)
{
    private readonly Dictionary<string, long> _since = [];

    /// <summary>Whether the condition was true at every check for this long.</summary>
    public bool HasLasted(string key, bool condition, TimeSpan grace)
    {
        if (!condition)
        {
            _since.Remove(key);
            return false;
        }

        if (!_since.TryGetValue(key, out var since)) _since[key] = since = time.GetTimestamp();
        return time.GetElapsedTime(since) >= grace;
    }
}
