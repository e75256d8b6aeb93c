// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Engine.Jobs;

/// <summary>One reason why a job is refused, and where in the text it stands.</summary>
/// <param name="Where">A JSON path (<c>TaskGroups[0].Tasks[1].Templates</c>), a place in HCL (<c>input.hcl:12,5-13</c>), or empty for the job as a whole.</param>
internal sealed record JobComplaint(string Where, string What)
{
    public override string ToString() => Where.Length > 0 ? $"{Where}: {What}" : What;
}

/// <summary>What became of a text that should be a job.</summary>
internal abstract record JobReading
{
    private JobReading() { }

    internal sealed record Read(Job Job) : JobReading;

    internal sealed record Refused(IReadOnlyList<JobComplaint> Complaints) : JobReading
    {
        public string Text => string.Join('\n', Complaints);
    }
}
