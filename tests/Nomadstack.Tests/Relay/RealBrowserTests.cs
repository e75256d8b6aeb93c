// SPDX-License-Identifier: MPL-2.0
using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.WebSockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Relay;

/// <summary>What a real browser sends, and what it lets other pages do: the rules of the relay rest on it.</summary>
public sealed class RealBrowserTests
{
    /// <summary>A browser's start takes seconds on a busy machine.</summary>
    private static readonly TimeSpan s_deadline = TimeSpan.FromSeconds(90);

    private static readonly string[] s_browsers = ["chromium", "chromium-headless-shell", "google-chrome"];

    /// <summary>The product's page: uses the API in all its ways and tells what it saw, then its reader wanders off to another page.</summary>
    private const string OwnPage = """
        <!doctype html><script>
        (async () => {
          const said = ['cookie ' + document.cookie];
          said.push('jobs ' + (await fetch('/v1/jobs', { headers: { 'X-Nomad-Token': '' } })).status);
          said.push('run ' + (await fetch('/v1/jobs', { method: 'POST', body: '{}' })).status);
          const stream = (await fetch('/v1/event/stream')).body.getReader();
          said.push('stream ' + new TextDecoder().decode((await stream.read()).value));
          await stream.cancel();
          const socket = new WebSocket('ws://' + location.host + '/v1/client/allocation/a/exec?ws_handshake=true');
          said.push('exec ' + await new Promise(done => { socket.onmessage = m => done(m.data); socket.onerror = () => done('refused'); }));
          socket.close();
          await fetch('/v1/report', { method: 'PUT', body: said.join('\n') });
          location.href = 'STRANGER';
        })();
        </script>
        """;

    /// <summary>Another page in the same browser, which has our cookie: tries everything that a page may try.</summary>
    private const string StrangersPage = """
        <!doctype html><body><script>
        const relay = 'RELAY';
        const settled = (make) => new Promise(done => { make(done); setTimeout(() => done('late'), 5000); });
        const element = (name, set) => settled(done => {
          const made = document.createElement(name);
          made.onload = () => done('loaded'); made.onerror = () => done('error');
          set(made); document.body.appendChild(made);
        });
        (async () => {
          const ask = (path, how) => fetch(relay + path, { credentials: 'include', ...how }).then(a => a.type + ' ' + a.status, () => 'refused');
          const said = [
            await ask('/v1/evil/read', {}),
            await ask('/v1/evil/blind', { mode: 'no-cors' }),
            await ask('/v1/evil/post', { mode: 'no-cors', method: 'POST', body: 'x' }),
            await ask('/v1/evil/put', { method: 'PUT', body: 'x' }),
            await element('img', e => e.src = relay + '/v1/evil/img'),
            await element('script', e => e.src = relay + '/v1/evil/script'),
            await element('iframe', e => e.src = relay + '/ui/evil/frame'),
            await settled(done => { const s = new WebSocket(relay.replace('http', 'ws') + '/v1/evil/socket'); s.onopen = () => done('open'); s.onerror = () => done('refused'); }),
          ];
          document.body.insertAdjacentHTML('beforeend', '<iframe name="sink"></iframe><form target="sink" method="post" action="' + relay + '/v1/evil/form"><input name="a"></form>');
          said.push(await settled(done => { document.querySelector('[name=sink]').onload = () => done('answered'); document.forms[0].submit(); }));
          await fetch('/report', { method: 'PUT', body: said.join('\n') });
        })();
        </script>
        """;

    [SkippableTheory]
    [InlineData("127.0.0.1", true)]
    [InlineData("localhost", false)]
    public async Task ThePageWorksAndAPageOfAnotherServerGetsNothing(string strangersHost, bool seesOurCookie)
    {
        var program = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').SelectMany(folder => s_browsers.Select(name => Path.Combine(folder, name))).FirstOrDefault(File.Exists);
        Skip.If(program is null, $"none of {string.Join(", ", s_browsers)} is on the PATH");
        await using var room = await RelayRoom.OpenAsync();
        await using var stranger = new Stranger();
        var strangers = await stranger.StartAsync(strangersHost, StrangersPage.Replace("RELAY", room.Address.GetLeftPart(UriPartial.Authority), StringComparison.Ordinal));
        var (asked, report) = (new ConcurrentQueue<string>(), new TaskCompletionSource<string>());
        room.Answer = http => AnswerAsync(http, asked, report, OwnPage.Replace("STRANGER", strangers, StringComparison.Ordinal));
        var profile = Directory.CreateTempSubdirectory("nomadstack-browser-").FullName;
        string[] line = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--no-proxy-server", "--user-data-dir=" + profile, "--remote-debugging-port=0", room.Relay.EntryAddress];
        using var browser = Process.Start(new ProcessStartInfo(program!, line) { RedirectStandardError = true, RedirectStandardOutput = true })!;
        // Its log is long, and a full pipe would stop it.
        browser.ErrorDataReceived += (_, _) => { };
        browser.OutputDataReceived += (_, _) => { };
        browser.BeginErrorReadLine();
        browser.BeginOutputReadLine();
        try
        {
            (await report.Task.WaitAsync(s_deadline)).Split('\n').ShouldBe(["cookie ", "jobs 200", "run 200", "stream event 1", "exec hello"]);
            var tried = await stranger.Report.WaitAsync(s_deadline);

            asked.Where(path => path.Contains("evil", StringComparison.Ordinal)).ShouldBeEmpty(tried);
            tried.Split('\n').Length.ShouldBe(9);
            stranger.Cookies.Contains("nomadstack-ui-", StringComparison.Ordinal).ShouldBe(seesOurCookie, "a server on another port of the same host sees our cookie, and what it needs besides is to be the operator's process");
        }
        finally
        {
            browser.Kill(entireProcessTree: true);
            await browser.WaitForExitAsync();
            await RemoveAsync(profile);
        }
    }

    private static async Task AnswerAsync(HttpContext http, ConcurrentQueue<string> asked, TaskCompletionSource<string> report, string page)
    {
        asked.Enqueue(http.Request.Path);
        switch (http.Request.Path.Value)
        {
            case "/ui/":
                http.Response.ContentType = "text/html";
                await http.Response.WriteAsync(page);
                break;
            case "/v1/event/stream":
                await http.Response.WriteAsync("event 1");
                await http.Response.Body.FlushAsync();
                await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, http.RequestAborted);
                break;
            case "/v1/client/allocation/a/exec":
                using (var socket = await http.WebSockets.AcceptWebSocketAsync())
                {
                    await socket.SendAsync("hello"u8.ToArray(), WebSocketMessageType.Text, true, http.RequestAborted);
                    await socket.ReceiveAsync(new byte[10], http.RequestAborted);
                }

                break;
            case "/v1/report":
                using (var body = new StreamReader(http.Request.Body)) report.TrySetResult(await body.ReadToEndAsync());
                break;
        }
    }

    /// <summary>The processes of a killed browser write on for a moment.</summary>
    private static async Task RemoveAsync(string folder)
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (Directory.Exists(folder))
        {
            try
            {
                Directory.Delete(folder, recursive: true);
            }
            catch (IOException) when (!deadline.IsCancellationRequested)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System);
            }
        }
    }

    /// <summary>Another server of this host, with a page of its own.</summary>
    private sealed class Stranger : IAsyncDisposable
    {
        private readonly TaskCompletionSource<string> _report = new();
        private WebApplication? _app;

        public Task<string> Report => _report.Task;

        public string Cookies { get; private set; } = "";

        public async Task<string> StartAsync(string host, string page)
        {
            var builder = WebApplication.CreateSlimBuilder();
            builder.Logging.ClearProviders();
            builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
            _app = builder.Build();
            _app.Run(async http =>
            {
                Cookies += http.Request.Headers.Cookie.ToString();
                using var body = new StreamReader(http.Request.Body);
                if (http.Request.Path == "/report") _report.TrySetResult(await body.ReadToEndAsync());
                http.Response.ContentType = "text/html";
                await http.Response.WriteAsync(page);
            });
            await _app.StartAsync();
            return $"http://{host}:{new Uri(_app.Urls.Single()).Port}/";
        }

        public async ValueTask DisposeAsync()
        {
            if (_app is not null) await _app.DisposeAsync();
        }
    }
}
