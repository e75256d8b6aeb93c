// SPDX-License-Identifier: MPL-2.0
using System.Globalization;
using Nomadstack.Cluster.Tests.Machines;

namespace Nomadstack.Cluster.Tests.Stack;

/// <summary>
/// Six tasks as a user would run them, placed evenly: five count to a file on their node's disk, each number synced before the next;
/// one writes to Nomad's state and notes every write that was acknowledged.
/// </summary>
internal static class Workload
{
    public const string JobId = "workload";
    public const int Tasks = 6;

    // The slowest of them, the writer, may have to wait for an election.
    private static readonly TimeSpan s_silence = TimeSpan.FromSeconds(8);

    // Numbers go on where the file ends, so a lost or repeated one shows, whoever lost it.
    private const string Counter = """
        file=/srv/counter-$NOMAD_ALLOC_INDEX.log
        boot=$(cat /proc/sys/kernel/random/boot_id)
        n=$(tail -n 1 "$file" 2>/dev/null | cut -d' ' -f1)
        [ -n "$n" ] || n=0
        while :; do
          n=$((n+1))
          echo "$n $EPOCHREALTIME $boot $NOMAD_ALLOC_ID" >> "$file"
          sync -d "$file"
          sleep 0.1
        done
        """;

    private const string Writer = """
        file=/srv/writer.log
        boot=$(cat /proc/sys/kernel/random/boot_id)
        n=$(tail -n 1 "$file" 2>/dev/null | cut -d' ' -f1)
        [ -n "$n" ] || n=0
        echo "$n $EPOCHREALTIME $boot $NOMAD_ALLOC_ID started" >> "$file"
        while :; do
          body='{"Job":{"ID":"writer-probe","Name":"writer-probe","Type":"batch","Datacenters":["dc1"],"ParameterizedJob":{"Payload":"optional"},"Meta":{"n":"'$((n+1))'"},
            "TaskGroups":[{"Name":"none","Count":1,"Tasks":[{"Name":"none","Driver":"raw_exec","Config":{"command":"/bin/true"}}]}]}}'
          status=none
          if [ -f /srv/keys/env ]; then
            . /srv/keys/env
            status=$(curl -s -m 7 -o /dev/null -w '%{http_code}' --cacert "$NOMAD_CACERT" --cert "$NOMAD_CLIENT_CERT" --key "$NOMAD_CLIENT_KEY" -H "X-Nomad-Token: $NOMAD_TOKEN" -X PUT -d "$body" "https://$1:4646/v1/jobs")
          elif exec 3<>"/dev/tcp/$1/4646"; then
            printf 'PUT /v1/jobs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s' "${#body}" "$body" >&3
            read -t 7 -r _ status _ <&3
            exec 3>&-
          fi 2>/dev/null
          if [ "$status" = 200 ]; then
            n=$((n+1))
            echo "$n $EPOCHREALTIME $boot $NOMAD_ALLOC_ID" >> "$file"
            sync -d "$file"
          fi
          sleep 1
        done
        """;

    /// <summary>Puts the scripts on the nodes' disks and the job file at /srv/workload.nomad of every node.</summary>
    public static async Task InstallAsync(IReadOnlyList<LabNode> nodes)
    {
        var each = ((Tasks + nodes.Count - 1) / nodes.Count).ToString(CultureInfo.InvariantCulture);
        foreach (var node in nodes)
        {
            await File.WriteAllTextAsync(Path.Combine(node.Srv, "counter.sh"), Counter);
            await File.WriteAllTextAsync(Path.Combine(node.Srv, "writer.sh"), Writer);
            await File.WriteAllTextAsync(Path.Combine(node.Srv, "workload.nomad"), $$"""
                job "{{JobId}}" {
                  datacenters = ["dc1"]
                  constraint {
                    distinct_property = "${node.unique.id}"
                    value             = "{{each}}"
                  }
                  group "counter" {
                    count = {{Tasks - 1}}
                    task "counter" {
                      driver = "raw_exec"
                      config {
                        command = "/bin/bash"
                        args    = ["/srv/counter.sh"]
                      }
                      resources {
                        cpu    = 20
                        memory = 16
                      }
                    }
                  }
                  group "writer" {
                    task "writer" {
                      driver = "raw_exec"
                      config {
                        command = "/bin/bash"
                        args    = ["/srv/writer.sh", "${attr.unique.network.ip-address}"]
                      }
                      resources {
                        cpu    = 20
                        memory = 16
                      }
                    }
                  }
                }
                """);
        }
    }

    /// <summary>Tasks that have written since their node's present boot and still do, wherever they run.</summary>
    public static int RunningSinceBoot(IReadOnlyList<LabNode> nodes) => nodes.SelectMany(AliveSinceBoot).Distinct().Count();

    /// <summary>All numbers of one node's file, in the order written.</summary>
    public static IReadOnlyList<Counted> Numbers(LabNode node, string file) =>
        [.. File.ReadLines(Path.Combine(node.Srv, file)).Select(Counted.Parse).OfType<Counted>()];

    public static IReadOnlyList<string> CounterFiles(LabNode node) =>
        [.. Directory.GetFiles(node.Srv, "counter-*.log").Select(file => Path.GetFileName(file)).Order()];

    private static IEnumerable<string> AliveSinceBoot(LabNode node)
    {
        var boot = File.ReadAllText(Path.Combine(Path.GetDirectoryName(node.Disk)!, "boot_id")).Trim();
        return Directory.GetFiles(node.Srv, "*.log")
            .Where(file => DateTime.UtcNow - File.GetLastWriteTimeUtc(file) < s_silence && LastLine(file).Contains(boot, StringComparison.Ordinal))
            .Select(file => Path.GetFileName(file));
    }

    private static string LastLine(string file)
    {
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        stream.Seek(-Math.Min(400, stream.Length), SeekOrigin.End);
        return new StreamReader(stream).ReadToEnd().Trim().Split('\n')[^1];
    }
}

/// <summary>One line of a workload file.</summary>
internal sealed record Counted(long Number, double At, string Boot, string AllocId)
{
    public static Counted? Parse(string line) => line.Split(' ') is [var number, var at, var boot, var alloc]
        ? new(long.Parse(number, CultureInfo.InvariantCulture), double.Parse(at, CultureInfo.InvariantCulture), boot, alloc)
        : null;
}
