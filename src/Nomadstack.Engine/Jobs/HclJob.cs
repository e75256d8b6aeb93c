// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Nodes;
using Nomadstack.Engine.Jobs.Hcl;

namespace Nomadstack.Engine.Jobs;

/// <summary>What became of a job file.</summary>
internal abstract record HclReading
{
    private HclReading() { }

    /// <param name="Job">As Nomad's <c>/v1/jobs/parse</c> answers without canonicalizing: every field, null or zero where the file says nothing.</param>
    internal sealed record Read(JsonObject Job) : HclReading;

    internal sealed record Refused(IReadOnlyList<JobComplaint> Complaints) : HclReading
    {
        public string Text => string.Join('\n', Complaints);
    }
}

/// <summary>A job file in HCL2, turned into the job's JSON. All complaints about its fields come at once, each with its place.</summary>
internal sealed class HclJob
{
    // The name HashiCorp's servers give a text that came without one.
    private const string FileName = "input.hcl";

    private readonly List<JobComplaint> _complaints = [];
    private int _blocks;

    private HclJob() { }

    public static HclReading Parse(string text)
    {
        var reader = new HclJob();
        JsonObject? job = null;
        try
        {
            if (text.TrimStart(' ').StartsWith('{'))
                throw new HclSyntaxException(new HclRange(1, 1, 1, 2), "Not supported by the embedded engine", "HCL's JSON syntax is not read here; write the job in HCL, or register Nomad's own JSON.");
            job = reader.ReadFile(HclParser.Parse(text));
        }
        catch (HclSyntaxException e)
        {
            reader.Complain(e);
        }

        return job is not null && reader._complaints.Count == 0 ? new HclReading.Read(job) : new HclReading.Refused(reader._complaints);
    }

    private JsonObject? ReadFile(HclBody file)
    {
        foreach (var attribute in file.Attributes)
            Complain(attribute.NameRange, "Unsupported argument", $"An argument named \"{attribute.Name}\" is not expected here.");
        foreach (var block in file.Blocks.Where(b => b.Type != "job"))
        {
            if (block.Type is "variable" or "variables" or "locals")
                Complain(block.Header, "Not supported by the embedded engine", $"The embedded engine does not evaluate \"{block.Type}\" blocks; write the values themselves.");
            else
                Complain(block.Header, "Unsupported block type", $"Blocks of type \"{block.Type}\" are not expected here.");
        }

        var jobs = file.Blocks.Where(b => b.Type == "job").ToList();
        if (jobs.Count == 0) _complaints.Add(new JobComplaint(FileName, "Missing job block; A job block is required"));
        foreach (var again in jobs.Skip(1))
            Complain(again.Header, "Duplicate job block", $"Only one block of type \"job\" is allowed. Previous definition was at {At(jobs[0].Header)}.");
        return jobs.Count > 0 ? ReadJob(jobs[0]) : null;
    }

    private JsonObject ReadJob(HclBlock block)
    {
        // A task right in the job stands alone in a group of its own name.
        var alone = block.Body.Blocks.Where(b => b.Type == "task").ToList();
        var rest = block.Body with { Blocks = [.. block.Body.Blocks.Where(b => b.Type != "task")] };
        var job = ReadBlock(block with { Body = rest }, JobSchema.Job);
        if (job["Name"] is null) job["Name"] = block.Labels.Count > 0 ? block.Labels[0].Text : "";
        if (alone.Count == 0) return job;

        var groups = new JsonArray();
        foreach (var task in alone)
            groups.Add((JsonNode)ReadBlock(new HclBlock("group", task.Labels, new HclBody([], [task]), task.Header), GroupSchema));
        foreach (var group in job["TaskGroups"] as JsonArray ?? []) groups.Add(group?.DeepClone());
        job["TaskGroups"] = groups;
        return job;
    }

    private static JobBlock GroupSchema => JobSchema.Job.ByHcl("group")!.Of!;

    private JsonObject ReadBlock(HclBlock block, JobBlock schema)
    {
        var result = new JsonObject();
        if (++_blocks > JobShape.MaxBlocks)
        {
            if (_blocks == JobShape.MaxBlocks + 1)
                Complain(block.Header, "Too many blocks", $"It comes after {JobShape.MaxBlocks} other blocks, which is all that a job may have in the embedded engine.");
            return result;
        }

        foreach (var field in schema.Fields.Where(f => !f.Newer)) result[field.Json] = field.WhenAbsent();
        ReadLabels(block, schema, result);
        foreach (var attribute in block.Body.Attributes) ReadAttribute(attribute, schema, result);
        foreach (var inner in block.Body.Blocks) ReadInnerBlock(inner, schema, result);
        if (schema.ByHcl("port") is { Kind: FieldKind.Ports }) SplitPorts(result);
        return result;
    }

    private void ReadLabels(HclBlock block, JobBlock schema, JsonObject result)
    {
        if (block.Labels.Count < (schema.Label is null ? 0 : 1))
            Complain(block.Header, $"Missing name for {block.Type}", $"All {block.Type} blocks must have 1 labels (name).");
        foreach (var extra in block.Labels.Skip(schema.Label is null ? 0 : 1))
            Complain(extra.Range, $"Extraneous label for {block.Type}", schema.Label is null ? $"No labels are expected for {block.Type} blocks." : $"Only 1 labels (name) are expected for {block.Type} blocks.");
        if (schema.Label is not null && block.Labels.Count > 0) result[schema.Label] = block.Labels[0].Text;
    }

    private void ReadAttribute(HclAttribute attribute, JobBlock schema, JsonObject result)
    {
        var field = schema.ByHcl(attribute.Name);
        try
        {
            switch (field?.Kind)
            {
                case FieldKind.Text or FieldKind.Number or FieldKind.Flag or FieldKind.Duration or FieldKind.Texts or FieldKind.Map:
                    result[field.Json] = Value(field.Kind, attribute.Value) ?? field.WhenAbsent();
                    break;
                // As in JSON: `canary = 0` and `auto_revert = false` ask for nothing, and stand in what `nomad job init` writes.
                case FieldKind.Refused when JobShape.AsksForNothing(field.Zero is { } zero ? Value(zero, attribute.Value) : HclValues.Any(attribute.Value), field.Harmless):
                    break;
                case FieldKind.Refused:
                    Refuse(attribute.NameRange, attribute.Name, schema);
                    break;
                default:
                    Complain(attribute.NameRange, "Unsupported argument", $"An argument named \"{attribute.Name}\" is not expected here.");
                    break;
            }
        }
        catch (HclSyntaxException e)
        {
            Complain(e);
        }
    }

    private static JsonNode? Value(FieldKind kind, HclExpression value) => kind switch
    {
        FieldKind.Text => HclValues.Text(value),
        FieldKind.Number => HclValues.Number(value),
        FieldKind.Flag => HclValues.Flag(value),
        FieldKind.Duration => HclValues.Duration(value),
        FieldKind.Texts => HclValues.Texts(value),
        _ => HclValues.Map(value, text => HclValues.Text(text)),
    };

    private void ReadInnerBlock(HclBlock block, JobBlock schema, JsonObject result)
    {
        var field = schema.ByHcl(block.Type);
        switch (field?.Kind)
        {
            case FieldKind.Block or FieldKind.Map or FieldKind.Config when result[field.Json] is not null:
                Complain(block.Header, $"Duplicate {block.Type} block", $"Only one {block.Type} block is allowed.");
                break;
            case FieldKind.Block or FieldKind.Map or FieldKind.Config:
                result[field.Json] = Content(block, field);
                break;
            case FieldKind.Blocks or FieldKind.Ports or FieldKind.Constraints:
                AddTo(result, field.Json, Content(block, field));
                break;
            case FieldKind.Refused:
                Refuse(block.Header, block.Type, schema);
                break;
            default:
                Complain(block.Header, "Unsupported block type", $"Blocks of type \"{block.Type}\" are not expected here.");
                break;
        }
    }

    private JsonObject Content(HclBlock block, JobField field) => field.Kind switch
    {
        FieldKind.Constraints => ReadConstraint(block),
        FieldKind.Map => ReadMap(block, value => HclValues.Text(value)),
        FieldKind.Config => ReadConfig(block),
        _ => ReadBlock(block, field.Of!),
    };

    private JsonObject ReadMap(HclBlock block, Func<HclExpression, JsonNode?> value)
    {
        foreach (var inner in block.Body.Blocks)
            Complain(inner.Header, $"Unexpected \"{inner.Type}\" block", "Blocks are not allowed here.");
        var map = new JsonObject();
        foreach (var attribute in block.Body.Attributes)
        {
            try
            {
                map[attribute.Name] = value(attribute.Value);
            }
            catch (HclSyntaxException e)
            {
                Complain(e);
            }
        }

        return map;
    }

    /// <summary>Nested blocks, and maps written like one, become lists of maps, under their labels: drivers cannot tell them apart and take either.</summary>
    private JsonObject ReadConfig(HclBlock block)
    {
        var config = ReadMap(block with { Body = block.Body with { Blocks = [] } }, value => value is HclObject ? new JsonArray(HclValues.Any(value)) : HclValues.Any(value));
        foreach (var inner in block.Body.Blocks)
        {
            var content = ReadConfig(inner);
            foreach (var label in inner.Labels.Reverse()) content = new JsonObject { [label.Text] = new JsonArray(content) };
            AddTo(config, inner.Type, content);
        }

        return config;
    }

    private JsonObject ReadConstraint(HclBlock block)
    {
        var set = new Dictionary<string, HclExpression>(StringComparer.Ordinal);
        foreach (var attribute in block.Body.Attributes)
        {
            if (Constraint.HclNames.Contains(attribute.Name)) set[attribute.Name] = attribute.Value;
            else Complain(attribute.NameRange, "Unsupported argument", $"An argument named \"{attribute.Name}\" is not expected here.");
        }

        foreach (var inner in block.Body.Blocks)
            Complain(inner.Header, "Unsupported block type", $"Blocks of type \"{inner.Type}\" are not expected here.");

        try
        {
            string Text(string name) => set.TryGetValue(name, out var value) ? HclValues.Text(value) ?? "" : "";

            var (left, right, operand) = (Text("attribute"), Text("value"), Text("operator"));
            foreach (var shorthand in Constraint.Shorthands)
                if (Text(shorthand) is { Length: > 0 } value) (operand, right) = (shorthand, value);
            if (set.TryGetValue(Constraint.DistinctHosts, out var distinct) && HclValues.Flag(distinct) == true) operand = Constraint.DistinctHosts;
            if (Text(Constraint.DistinctProperty) is { Length: > 0 } property) (operand, left) = (Constraint.DistinctProperty, property);
            return new JsonObject { ["LTarget"] = left, ["RTarget"] = right, ["Operand"] = operand.Length > 0 ? operand : "=" };
        }
        catch (HclSyntaxException e)
        {
            Complain(e);
            return [];
        }
    }

    /// <summary>All ports were read as dynamic ones; those with a number are reserved.</summary>
    private static void SplitPorts(JsonObject network)
    {
        if (network["DynamicPorts"] is not JsonArray ports) return;
        var (dynamic, reserved) = (new JsonArray(), new JsonArray());
        foreach (var port in ports) ((long)port!["Value"]! > 0 ? reserved : dynamic).Add(port.DeepClone());
        network["DynamicPorts"] = dynamic.Count > 0 ? dynamic : null;
        network["ReservedPorts"] = reserved.Count > 0 ? reserved : null;
    }

    private static void AddTo(JsonObject owner, string name, JsonObject item)
    {
        if (owner[name] is not JsonArray list) owner[name] = list = [];
        list.Add((JsonNode)item);
    }

    private void Refuse(HclRange range, string name, JobBlock schema) =>
        Complain(range, "Not supported by the embedded engine", $"\"{name}\" in a {schema.Name} is something that HashiCorp's Nomad does and the embedded engine does not.");

    private void Complain(HclSyntaxException e) => _complaints.Add(new JobComplaint(At(e.Range), e.Message));

    private void Complain(HclRange range, string summary, string detail) => _complaints.Add(new JobComplaint(At(range), $"{summary}; {detail}"));

    private static string At(HclRange range) => $"{FileName}:{range}";
}
