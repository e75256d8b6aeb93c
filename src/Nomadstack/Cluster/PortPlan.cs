// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Nomadstack.Cluster;

/// <summary>
/// Every static port of one node (design: "Ports"), by name: a server that restarts on its node has the same address. A port that is not named has its default.
/// A port that this release does not know is kept. In JSON an object of numbers, as the first release wrote it.
/// </summary>
[JsonConverter(typeof(PortPlanJson))]
internal sealed class PortPlan : IEquatable<PortPlan>
{
    private const string PeersKey = "peers";
    private const int DefaultPeers = 4640;

    private readonly SortedDictionary<string, int> _ports;

    public PortPlan()
        : this(new Dictionary<string, int>())
    {
    }

    /// <param name="ports">By <see cref="ProductPort.Key"/>, or <c>peers</c>.</param>
    public PortPlan(IEnumerable<KeyValuePair<string, int>> ports) =>
        _ports = new SortedDictionary<string, int>(ports.ToDictionary(p => p.Key, p => p.Value), StringComparer.Ordinal);

    /// <summary>Where the agents talk to each other.</summary>
    public int Peers
    {
        get => _ports.GetValueOrDefault(PeersKey, DefaultPeers);
        init => _ports[PeersKey] = value;
    }

    /// <summary>The named ports, by name.</summary>
    public IReadOnlyDictionary<string, int> Named => _ports;

    public int this[ProductPort port] => _ports.GetValueOrDefault(port.Key, port.Default);

    /// <summary>The port of a product's client, server or bootstrap server; 0 if the product has none for that purpose.</summary>
    public int Of(Product product, string holder, string purpose) => product.FindPort(holder, purpose) is { } port ? this[port] : 0;

    public PortPlan With(ProductPort port, int value) => With(port.Key, value);

    public PortPlan WithPeers(int value) => With(PeersKey, value);

    /// <summary>The same with the defaults of these products written out, so that a node's file and the membership contain all its ports.</summary>
    public PortPlan WithDefaultsOf(IEnumerable<Product> products) =>
        new([new(PeersKey, Peers), .. products.SelectMany(p => p.Ports).Select(p => new KeyValuePair<string, int>(p.Key, this[p])), .. _ports.Where(p => p.Key != PeersKey && !products.Any(of => of.Ports.Any(port => port.Key == p.Key)))]);

    public bool Equals(PortPlan? other) => other is not null && _ports.SequenceEqual(other._ports);

    public override bool Equals(object? obj) => Equals(obj as PortPlan);

    public override int GetHashCode() => _ports.Aggregate(0, (sofar, port) => HashCode.Combine(sofar, port.Key, port.Value));

    public override string ToString() => string.Join(", ", _ports.Select(p => string.Create(CultureInfo.InvariantCulture, $"{p.Key} {p.Value}")));

    public static bool operator ==(PortPlan? a, PortPlan? b) => Equals(a, b);

    public static bool operator !=(PortPlan? a, PortPlan? b) => !Equals(a, b);

    private PortPlan With(string key, int value) => new(_ports.Where(p => p.Key != key).Append(new(key, value)));
}

/// <summary>A <see cref="PortPlan"/> as an object of numbers. A value that is not a number is refused by its name.</summary>
internal sealed class PortPlanJson : JsonConverter<PortPlan>
{
    public override PortPlan Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType != JsonTokenType.StartObject) throw new JsonException("ports must be an object of numbers");
        Dictionary<string, int> ports = [];
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = reader.GetString()!;
            if (!reader.Read() || reader.TokenType != JsonTokenType.Number || !reader.TryGetInt32(out var port)) throw new JsonException($"port {name} must be a number");
            ports[name] = port;
        }

        return new(ports);
    }

    public override void Write(Utf8JsonWriter writer, PortPlan value, JsonSerializerOptions options)
    {
        writer.WriteStartObject();
        foreach (var (name, port) in value.Named) writer.WriteNumber(name, port);
        writer.WriteEndObject();
    }
}
