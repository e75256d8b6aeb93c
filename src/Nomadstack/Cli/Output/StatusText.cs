// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using Nomadstack.Api;
using Nomadstack.Cli.Options;
using Nomadstack.Cluster;

namespace Nomadstack.Cli.Output;

/// <summary>The status document for people: first the cluster's state and its reason, then what may still fail, then the parts.</summary>
internal static class StatusText
{
    public static void Write(TextWriter output, StatusDocument status, DateTimeOffset now)
    {
        var cluster = status.Cluster;
        output.WriteLine(cluster.State == "none"
            ? $"no cluster on this node ({status.Node.Name}, {status.Node.Address})"
            : $"{cluster.State}: {Servers(status)}, cluster {cluster.Id}");
        if (cluster.Reason.Length > 0) Paragraph(output, cluster.Reason);
        if (cluster.State == "none") Paragraph(output, "Make one with `nomadstack bootstrap`, or join one: `nomadstack agent --join HOST --token-file FILE`.");
        foreach (var role in status.Tolerates) Paragraph(output, Tolerance(role));
        if (cluster is { State: not "none", Security: "plain" }) Paragraph(output, "security: none. Whoever reaches the cluster's ports can do anything.");
        foreach (var certificate in cluster.Certificates.Where(c => c.State != CertificateStatus.Fine))
            Paragraph(output, Certificate(certificate, now));
        Paragraph(output, $"engine: {string.Join(", ", status.Engine.Select(e => e.Value.Kind == EngineVersion.None ? $"without {Title(e.Key)}" : Name(e.Value)))}; nomadstack {status.Node.Version}");
        foreach (var (product, engine) in status.Engine.Where(e => e.Value.Offered is not null)) Paragraph(output, Offer(product, engine.Version, engine.Offered!.Version, engine.Offered.Program));

        if (status.Servers.Count > 0)
        {
            var table = new Table("ROLE", "NODE", "ADDRESS", "MANAGED", "STATE", "VOTER", "LEADER", "HEALTHY", "PID");
            foreach (var s in status.Servers)
                table.Row(s.Role, s.Node, s.Address, s.ManagedBy, s.State, YesNo(s.Voter), YesNo(s.Leader), YesNo(s.Healthy), s.Pid?.ToString(CultureInfo.InvariantCulture) ?? "");
            output.WriteLine();
            table.WriteTo(output);
        }

        if (status.Nodes.Count > 0)
        {
            output.WriteLine();
            Nodes(status.Nodes).WriteTo(output);
        }

        foreach (var n in status.Nodes.Where(n => n.Disk is { State: "low" })) Paragraph(output, $"The disk of {n.Name} fills up: {n.Disk!.UsedPercent} % of {n.Disk.Mount} is used, {n.Disk.FreeBytes >> 20} MiB are free.");

        var running = status.Operations.Where(o => o.State == Operation.Running).ToList();
        if (running.Count > 0) output.WriteLine();
        foreach (var o in running)
            Paragraph(output, $"{o.Kind} running for {Duration.Show(now - o.StartedAt)}: {o.Step}{(o.Reason.Length > 0 ? ", " + o.Reason : "")}");
        output.Flush();
    }

    public static Table Nodes(IEnumerable<MemberStatus> nodes)
    {
        var all = nodes.ToList();
        var clients = all.SelectMany(n => n.Clients.Keys).Distinct().ToList();
        var table = new Table(["NODE", "ADDRESS", "KIND", "AGENT", .. clients.Select(c => c.ToUpperInvariant()), "ELIGIBLE"]);
        foreach (var n in all) table.Row([n.Name, n.Address, n.Kind, n.Agent, .. clients.Select(n.Client), YesNo(n.Eligible)]);
        return table;
    }

    /// <summary>What may still fail, in a sentence.</summary>
    public static string Tolerance(FailureTolerance role)
    {
        var name = Title(role.Role);
        return role switch
        {
            { Failures: < 0 } => $"{name}: no quorum, {role.Present} of {role.Voters} voters present, {role.Quorum} needed.",
            { Voters: 1 } => $"{name}: tolerates no failure, because it has only one server.",
            { Failures: 0 } => $"{name}: tolerates no failure, {role.Present} of {role.Voters} voters present and {role.Quorum} needed.",
            { Failures: 1 } => $"{name}: tolerates the failure of 1 server.",
            _ => $"{name}: tolerates the failure of {role.Failures} servers.",
        };
    }

    /// <summary>What is to be done about a certificate, in a sentence or two. What renews itself in time is worth none.</summary>
    public static string Certificate(CertificateStatus certificate, DateTimeOffset now)
    {
        var left = certificate.Ends is { } ends ? string.Create(CultureInfo.InvariantCulture, $"on {ends:yyyy-MM-dd}, in {Duration.Show(ends - now)}") : "";
        return certificate.State switch
        {
            CertificateStatus.EndsSoon => $"{certificate.Whose} ends {left}, and does not renew itself.",
            CertificateStatus.Overdue => $"{certificate.Whose} should have been renewed. It ends {left}.",
            CertificateStatus.Urgent => $"ALARM: {certificate.Whose} ends {left}. Act now, or its holders refuse each other then.",
            CertificateStatus.Ended => string.Create(CultureInfo.InvariantCulture, $"ALARM: {certificate.Whose} ended on {certificate.Ends:yyyy-MM-dd}."),
            CertificateStatus.NotYetValid => $"ALARM: {certificate.Whose} is not valid yet by this machine's clock.",
            _ => $"{certificate.Whose} is {certificate.State}.",
        } + " See `nomadstack doctor`.";
    }

    /// <summary>A program that is there and not used.</summary>
    public static string Offer(string product, string own, string version, string program) =>
        $"{Title(product)} {version} at {program} is not used; this node goes on with {own}. `nomadstack program use {product}` takes it.";

    /// <summary>What provides a product here, or why nothing does, for somebody who has just started it.</summary>
    public static string Provider(string product, EngineVersion engine) => engine.Kind switch
    {
        EngineVersion.Embedded => $"{Title(product)} is nomadstack's embedded engine ({engine.Why}). It is for development, tests and rehearsals; for production use HashiCorp's {Title(product)}",
        EngineVersion.None => $"without {Title(product)}: {engine.Why}",
        _ => $"{Title(product)} {engine.Version}: {engine.Program} ({engine.Why})",
    };

    /// <summary>A product's name as people write it. A newer agent may name a product that is not known here.</summary>
    public static string Title(string product) => ProductTable.Known.Find(product)?.Title ?? product;

    /// <summary>Only the embedded engine is shown with its reason.</summary>
    private static string Name(EngineVersion engine) => $"{engine.Kind} {engine.Version}{(engine is { Kind: EngineVersion.Embedded, Why.Length: > 0 } ? $" ({engine.Why})" : "")}";

    private static string Servers(StatusDocument status)
    {
        var present = status.Servers.Count(s => s.Role == ProductTable.Known.Scheduler.Name && s.ManagedBy == "job" && s.Voter && s.Healthy);
        return $"{present} of {status.Cluster.DesiredServers} {(status.Cluster.DesiredServers == 1 ? "server" : "servers")}";
    }

    private static void Paragraph(TextWriter output, string text)
    {
        foreach (var line in Prose.Wrap(text, Surroundings.PlainWidth)) output.WriteLine(line);
    }

    private static string YesNo(bool value) => value ? "yes" : "no";
}
