// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Engine.Tests.Jobs;

/// <summary>Job files of every kind this engine takes; read by us and by HashiCorp's Nomad alike.</summary>
internal static class JobFiles
{
    public const string Minimal = """
        job "minimal" {
          datacenters = ["dc1"]
          group "g" {
            task "t" {
              driver = "raw_exec"
              config { command = "/bin/true" }
            }
          }
        }
        """;

    public const string Web = """"
        # A service with everything that a service may have here.
        job "web" {
          datacenters = ["dc1", "dc2"]
          type        = "service"
          priority    = 70
          all_at_once = false
          region      = "global"

          meta {
            owner = "ops"
            shard = 3
            live  = true
          }

          constraint {
            attribute = "${attr.kernel.name}"
            value     = "linux"
          }

          constraint { distinct_hosts = true }

          constraint {
            attribute = "${attr.nomad.version}"
            version   = ">= 1.1, < 3.0"
          }

          constraint {
            attribute = attr.cpu.arch
            operator  = "!="
            value     = "arm"
          }

          constraint {
            attribute    = "${meta.tags}"
            set_contains = "ssd,fast"
          }

          update {
            max_parallel     = 2
            min_healthy_time = "5s"
            healthy_deadline = "2m"
          }

          reschedule {
            delay          = "10s"
            delay_function = "fibonacci"
            max_delay      = "5m"
            unlimited      = true
          }

          migrate { max_parallel = 2 }

          group "front" {
            count = 3

            constraint {
              attribute = "${node.class}"
              regexp    = "^(small|large)$"
            }

            network {
              mode = "host"
              port "http" {}
              port "admin" { static = 8081 }
              port "db" {
                static = 5432
                to     = 5432
              }
              port "inner" { to = -1 }
            }

            restart {
              attempts = 5
              interval = "10m"
              delay    = "5s"
              mode     = "delay"
            }

            update { health_check = "task_states" }

            ephemeral_disk { size = 500 }

            meta = { "dotted.key" = "x", other : "y" }

            task "server" {
              driver = "raw_exec"

              config {
                command = "/bin/sh"
                args = [
                  "-c",
                  "echo ${NOMAD_PORT_http} on ${node.unique.name} ${env["HOME"]} $${kept} %%{kept} \u00e9 \"quoted\" \t",
                  "1", 5, 1.5, true,
                ]
                nested = { a = 1, b = [{ c = "d" }] }
                volumes = []
                auth {
                  user  = "u"
                  inner = { x = { y = 1 } }
                }
                auth {
                  user = "v"
                }
                mount "bind" {
                  source = "/x"
                }
                script = <<EOF
        #!/bin/sh
          echo "${meta.greeting}, \n stays"
        EOF
                flush = <<-EOT
                  first
                    second

                  last ${NOMAD_TASK_DIR}
                  EOT
              }

              env {
                A     = "b"
                PORT  = "${NOMAD_PORT_http}"
                COUNT = 5
                RATIO = 0.5
              }

              meta { inner = "1" }

              resources {
                cpu    = 250
                memory = 64
              }

              logs {
                max_files     = 3
                max_file_size = 5
              }

              restart { attempts = 1 }

              kill_timeout = "20s"
              kill_signal  = "SIGINT"
            }

            task "logger" {
              driver = "exec" // another driver
              config {
                command = "tail"
                args    = ["-f", "x"]
              }
              env = { "WITH.DOT" = "1" }
              /* over
                 lines */
              resources { cpu = "20" }
            }
          }

          group "back" {
            task "t" {
              driver = "nomadstack"
            }
          }
        }
        """";

    public const string Batch = """
        job "crunch" {
          id = "crunch-1"
          name = "Crunch"
          type = "batch"
          datacenters = ["dc1"]
          group "g" {
            count = 10
            reschedule {
              attempts = 3
              interval = "1h"
              delay = "5s"
              delay_function = "constant"
            }
            task "t" {
              driver = "raw_exec"
              config {
                command = "/bin/true"
              }
              resources {
                cpu = 10
                memory = 10
              }
            }
          }
        }
        """;

    public const string SystemJob = """
        job "agent-helper" {
          type = "system"
          datacenters = ["dc1"]
          priority = 90
          update {
            max_parallel = 1
            stagger = "20s"
          }
          group "g" {
            task "t" {
              driver = "raw_exec"
              config { command = "/bin/sleep" }
            }
          }
        }
        """;

    public const string TaskAlone = """
        job "alone" {
          datacenters = ["dc1"]
          task "t" {
            driver = "raw_exec"
            config { command = "/bin/sleep" }
          }
        }
        """;

    /// <summary>As nomadstack writes the job of its servers, were it HCL.</summary>
    public const string Servers = """
        job "nomad-server" {
          datacenters = ["dc1"]
          priority = 100
          meta { nomadstack_schema = "1" }
          constraint { distinct_hosts = true }
          group "server" {
            count = 3
            network {
              mode = "host"
              port "http" { static = 4646 }
              port "rpc" { static = 4647 }
              port "serf" { static = 4648 }
            }
            ephemeral_disk { size = 50 }
            restart {
              attempts = 3
              interval = "60s"
              delay = "5s"
              mode = "delay"
            }
            reschedule {
              delay = "5s"
              delay_function = "exponential"
              max_delay = "60s"
              unlimited = true
            }
            update {
              max_parallel = 1
              health_check = "task_states"
              healthy_deadline = "30m"
              progress_deadline = "60m"
            }
            migrate { health_check = "task_states" }
            task "server" {
              driver = "nomadstack"
              config { role = "nomad" }
              resources {
                cpu = 100
                memory = 128
              }
              kill_timeout = "30s"
              logs {
                max_files = 2
                max_file_size = 5
              }
            }
          }
        }
        """;

    public const string Parameterized = """
        job "template" {
          datacenters = ["dc1"]
          type = "batch"
          parameterized {
            payload       = "forbidden"
            meta_required = ["who"]
            meta_optional = ["how", "when"]
          }
          group "g" {
            task "t" {
              driver = "raw_exec"
              config { command = "/bin/true" }
            }
          }
        }
        """;

    public static readonly IReadOnlyDictionary<string, string> All = new Dictionary<string, string>
    {
        [nameof(Minimal)] = Minimal,
        [nameof(Web)] = Web,
        [nameof(Batch)] = Batch,
        [nameof(SystemJob)] = SystemJob,
        [nameof(TaskAlone)] = TaskAlone,
        [nameof(Servers)] = Servers,
        [nameof(Parameterized)] = Parameterized,
    };
}
