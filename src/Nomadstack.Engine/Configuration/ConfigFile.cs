// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Nomadstack.Engine.Jobs.Hcl;

namespace Nomadstack.Engine.Configuration;

/// <summary>One file of a configuration, in HCL or JSON, as JSON; and where each key stands. What a file is, its first character tells, as for Nomad: its name says nothing.</summary>
internal sealed class ConfigFile
{
    private static readonly JsonDocumentOptions s_json = new() { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true };
    private static readonly JsonReaderOptions s_reader = new() { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true };

    private readonly string _name;
    private readonly Dictionary<string, string> _places = new(StringComparer.Ordinal);

    private ConfigFile(string name) => _name = name;

    public JsonObject Json { get; private set; } = [];

    /// <summary><c>FILE:LINE</c> of each key, by its path with dots.</summary>
    public IReadOnlyDictionary<string, string> Places => _places;

    /// <summary>The files that a path stands for: itself, or what of a folder Nomad reads, in lexical order.</summary>
    /// <exception cref="IOException">There is no such thing.</exception>
    public static IReadOnlyList<string> At(string path) => Directory.Exists(path)
        ? [.. Directory.EnumerateFiles(path).Where(IsConfiguration).Order(StringComparer.Ordinal)]
        : [path];

    /// <exception cref="ConfigException">It cannot be read.</exception>
    /// <exception cref="IOException">The same.</exception>
    public static ConfigFile Read(string path)
    {
        var (file, text) = (new ConfigFile(path), File.ReadAllText(path));
        if (text.TrimStart().StartsWith('{')) file.ReadJson(text);
        else file.ReadHcl(text);
        return file;
    }

    /// <summary>Not what an editor leaves beside a file.</summary>
    private static bool IsConfiguration(string path) =>
        Path.GetFileName(path) is var name && (name.EndsWith(".hcl", StringComparison.Ordinal) || name.EndsWith(".json", StringComparison.Ordinal)) && !name.StartsWith(".#", StringComparison.Ordinal);

    private void ReadJson(string text)
    {
        try
        {
            Json = JsonNode.Parse(text, documentOptions: s_json) as JsonObject ?? throw new ConfigException([$"{_name}: an object is expected"]);
        }
        catch (JsonException e)
        {
            throw new ConfigException([$"{_name}: {e.Message}"]);
        }

        Mark(Encoding.UTF8.GetBytes(text));
    }

    /// <summary>Notes the places of a JSON text's keys. The members of a list's objects count as the list's own, as in HCL.</summary>
    private void Mark(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json, s_reader);
        var path = new SortedDictionary<int, string>();
        var (line, counted) = (1, 0);
        while (reader.Read())
        {
            if (reader.TokenType != JsonTokenType.PropertyName) continue;
            var at = (int)reader.TokenStartIndex;
            line += json[counted..at].Count((byte)'\n');
            counted = at;
            var depth = reader.CurrentDepth;
            foreach (var deeper in path.Keys.Where(d => d > depth).ToList()) path.Remove(deeper);
            path[depth] = reader.GetString()!;
            Mark(string.Join('.', path.Values), line);
        }
    }

    private void ReadHcl(string text)
    {
        try
        {
            // Through its text, so that a value is read the same way whatever it was written in.
            Json = (JsonObject)JsonNode.Parse(Body(HclParser.ParseConfiguration(text), [], "").ToJsonString())!;
        }
        catch (HclSyntaxException e)
        {
            throw new ConfigException([$"{_name}:{e.Range}: {e.Message}"]);
        }
    }

    /// <summary>Blocks of one name are one block, and labels are the names of blocks inside.</summary>
    private JsonObject Body(HclBody body, JsonObject into, string path)
    {
        foreach (var attribute in body.Attributes)
        {
            Mark(path + attribute.Name, attribute.NameRange.Line);
            Mark(attribute.Value, $"{path}{attribute.Name}.");
            into[attribute.Name] = HclValues.Any(attribute.Value);
        }

        foreach (var block in body.Blocks)
        {
            var (inner, at) = (into, path);
            foreach (var name in block.Labels.Select(l => l.Text).Prepend(block.Type))
            {
                Mark(at + name, block.Header.Line);
                at = $"{at}{name}.";
                if (inner[name] is not JsonObject existing) inner[name] = existing = [];
                inner = existing;
            }

            Body(block.Body, inner, at);
        }

        return into;
    }

    private void Mark(HclExpression value, string path)
    {
        foreach (var (key, item) in (value as HclObject)?.Items ?? [])
        {
            var name = HclValues.Text(key);
            Mark(path + name, key.Range.Line);
            Mark(item, $"{path}{name}.");
        }
    }

    private void Mark(string path, int line) => _places[path] = string.Create(CultureInfo.InvariantCulture, $"{_name}:{line}");
}
