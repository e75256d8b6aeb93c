# A web page, kept up. Needs no download and no container: served by whichever of python3, busybox and perl the machine has.
#
#   nomadstack job run examples/hello.nomad.hcl
#   curl http://127.0.0.1:8088/
#   nomadstack job stop hello
job "hello" {
  datacenters = ["dc1"]
  # A service is meant to run for ever: Nomad restarts its tasks, and places them anew when their node is gone.
  type = "service"

  group "web" {
    # Two of them need two nodes, for the port below is the same everywhere.
    count = 1

    network {
      port "http" {
        static = 8088
      }
    }

    restart {
      attempts = 3
      delay    = "5s"
      interval = "1m"
      # After three failures in a minute, wait for the next minute rather than give up.
      mode = "delay"
    }

    task "server" {
      # An ordinary process, as the user that runs the agent. Not isolated: only for jobs you trust.
      driver = "raw_exec"

      config {
        command = "/bin/sh"
        args = ["-c", <<-EOT
          cd "$NOMAD_TASK_DIR" || exit 1
          echo "hello from job $NOMAD_JOB_NAME, allocation $NOMAD_ALLOC_ID on $(uname -n)" > index.html
          # exec: the server takes the shell's place, so that Nomad stops the server itself.
          if command -v python3 > /dev/null; then
            exec python3 -m http.server "$NOMAD_PORT_http"
          elif command -v busybox > /dev/null && busybox httpd --help > /dev/null 2>&1; then
            exec busybox httpd -f -p "$NOMAD_PORT_http"
          elif command -v perl > /dev/null; then
            exec perl -MIO::Socket::INET -e '
              my $s = IO::Socket::INET->new(LocalPort => $ENV{NOMAD_PORT_http}, Listen => 16, ReuseAddr => 1) or die "$!";
              open(my $f, "<", "index.html") or die "$!";
              my $page = <$f>;
              while (my $c = $s->accept) {
                while (my $line = <$c>) { last if $line =~ /^\s*$/ }
                print $c "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ", length($page), "\r\n\r\n", $page;
                close $c;
              }'
          fi
          echo "none of python3, busybox with httpd and perl is on this machine" >&2
          exit 1
        EOT
        ]
      }

      # What the scheduler counts with: 100 MHz and 64 MB.
      resources {
        cpu    = 100
        memory = 64
      }
    }
  }
}
