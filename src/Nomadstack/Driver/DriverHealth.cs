// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Driver;

/// <summary>The driver's fingerprint. A change reaches every open fingerprint stream at once.</summary>
internal sealed class DriverHealth
{
    private const string Prefix = "driver.nomadstack.";
    private readonly Lock _gate = new();
    private readonly Dictionary<string, string> _attributes;
    private TaskCompletionSource _replaced;

    /// <param name="roles">The roles whose servers a task may ask for.</param>
    /// <param name="version">Version of this product; jobs may constrain on <c>driver.nomadstack.version</c>.</param>
    public DriverHealth(string version, IEnumerable<string> roles)
    {
        _attributes = new(StringComparer.Ordinal) { [Prefix + "version"] = version, [Prefix + "roles"] = string.Join(',', roles.Order(StringComparer.Ordinal)) };
        _replaced = NewReplaced();
        Now = new(true, "ready", _attributes, _replaced.Task);
    }

    /// <param name="Replaced">Completes when there is a newer snapshot.</param>
    internal sealed record Snapshot(bool Healthy, string Description, IReadOnlyDictionary<string, string> Attributes, Task Replaced);

    public Snapshot Now { get; private set; }

    public void Set(bool healthy, string description)
    {
        lock (_gate)
        {
            if (Now.Healthy == healthy && Now.Description == description) return;
            var old = _replaced;
            _replaced = NewReplaced();
            Now = new(healthy, description, _attributes, _replaced.Task);
            old.SetResult();
        }
    }

    private static TaskCompletionSource NewReplaced() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
