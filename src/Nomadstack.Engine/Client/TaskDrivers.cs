// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Client.Drivers;
using Nomadstack.Engine.State;

namespace Nomadstack.Engine.Client;

/// <summary>The task drivers of this node, by the names that jobs use.</summary>
internal sealed class TaskDrivers(IReadOnlyList<ITaskDriver> drivers, TimeProvider time)
{
    private readonly Dictionary<string, (DriverFingerprint Seen, DateTimeOffset Since)> _since = new(StringComparer.Ordinal);

    public ITaskDriver? Find(string name) => drivers.FirstOrDefault(d => d.Name == name);

    /// <summary>As nodes show them.</summary>
    public IReadOnlyDictionary<string, DriverStatus> Statuses() => drivers.ToDictionary(d => d.Name, d =>
    {
        var now = d.Fingerprint;
        if (!_since.TryGetValue(d.Name, out var known) || !ReferenceEquals(known.Seen, now)) known = _since[d.Name] = (now, time.GetUtcNow());
        return new DriverStatus { Attributes = now.Attributes, Detected = now.Detected, Healthy = now.Healthy, HealthDescription = now.Description, UpdateTime = known.Since };
    });

    /// <summary>The attributes of drivers that are there: <c>driver.NAME=1</c> and what each has to add.</summary>
    public IEnumerable<KeyValuePair<string, string>> Attributes()
    {
        foreach (var driver in drivers)
        {
            var now = driver.Fingerprint;
            if (!now.Detected) continue;
            foreach (var attribute in now.Attributes.Where(a => a.Key != "driver." + driver.Name)) yield return attribute;
            yield return new("driver." + driver.Name, "1");
        }
    }

    /// <summary>Completes when any driver's fingerprint is another.</summary>
    public Task ChangedAsync() => drivers.Count == 0 ? new TaskCompletionSource().Task : Task.WhenAny(drivers.Select(d => d.Fingerprint.Changed));
}
