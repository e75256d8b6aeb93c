# One on every node, also on nodes that join later: a line with the node's load every ten seconds.
#
#   nomadstack job run examples/heartbeat.nomad.hcl
#   nomadstack nomad alloc logs -f -job heartbeat
#   nomadstack job stop heartbeat
job "heartbeat" {
  datacenters = ["dc1"]
  # A system job has no count: the nodes are its count. Log shippers and monitors are such jobs.
  type = "system"

  group "node" {
    task "beat" {
      driver = "raw_exec"

      config {
        command = "/bin/sh"
        args = ["-c", <<-EOT
          # A shell that waits for a child does not hear signals; one that waits in `wait` does, so that a stop takes no time.
          trap 'exit 0' INT TERM
          while :; do
            echo "$(date -u +%H:%M:%S) $(uname -n) load $(cut -d ' ' -f 1-3 /proc/loadavg)"
            sleep 10 &
            wait $!
          done
        EOT
        ]
      }

      resources {
        cpu    = 50
        memory = 32
      }

      # A log that is kept small: two files of one megabyte.
      logs {
        max_files     = 2
        max_file_size = 1
      }
    }
  }
}
