# Work that ends: the checksum of 64 MB of zeros, then "complete". Needs nothing but the coreutils.
#
#   nomadstack job run examples/sum.nomad.hcl
#   nomadstack nomad alloc logs -job sum
job "sum" {
  datacenters = ["dc1"]
  # A batch job is done when its tasks end with exit code 0; Nomad repeats those that fail.
  type = "batch"

  group "work" {
    restart {
      attempts = 2
      delay    = "5s"
      interval = "10m"
      mode     = "fail"
    }

    task "sum" {
      driver = "raw_exec"

      # The environment is how a task gets its parameters.
      env {
        MEGABYTES = "64"
      }

      config {
        command = "/bin/sh"
        args = ["-c", <<-EOT
          # $VARIABLE is the shell's. Nomad has a notation of its own, with braces.
          dd if=/dev/zero bs=1048576 count="$MEGABYTES" 2> /dev/null | sha256sum
        EOT
        ]
      }

      resources {
        cpu    = 200
        memory = 64
      }
    }
  }
}
