// SPDX-License-Identifier: MPL-2.0
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using Nomadstack.Cluster;
using Nomadstack.Ground.Http;

namespace Nomadstack.Nomad;

/// <summary>The few calls of Nomad's HTTP API that the job commands need. They are the same in Nomad 1.1 and 2.x. Answers are Nomad's own JSON, read leniently.</summary>
internal sealed partial class JobsApi(Endpoint endpoint, string @namespace, TimeProvider time)
{
    private static readonly TimeSpan s_deadline = TimeSpan.FromSeconds(30);

    /// <summary>Nomad's API at an address, with the variables of Nomad's own command line.</summary>
    /// <param name="variable">Reads a variable; null where it is not set.</param>
    /// <exception cref="ProblemException"><c>nomad/bad-certificate</c>: a file that a variable names cannot be read.</exception>
    public static JobsApi At(string address, Func<string, string?> variable, TimeProvider time) => new(
        new Endpoint(new Uri(address))
        {
            Ca = From("NOMAD_CACERT", file =>
            {
                var authorities = new X509Certificate2Collection();
                authorities.ImportFromPemFile(file);
                return authorities;
            }, variable),
            Certificate = From("NOMAD_CLIENT_CERT", file => X509Certificate2.CreateFromPemFile(file, variable("NOMAD_CLIENT_KEY")), variable),
            Token = new("X-Nomad-Token", () => variable("NOMAD_TOKEN")),
        },
        variable("NOMAD_NAMESPACE") is { Length: > 0 } named ? named : "default",
        time);

    private static T? From<T>(string name, Func<string, T> read, Func<string, string?> variable)
        where T : class
    {
        if (variable(name) is not { Length: > 0 } file) return null;
        try
        {
            return read(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw new ProblemException(new("nomad/bad-certificate", $"{file} cannot be used.", $"{name} names it, and reading it failed: {e.Message}", $"Correct {name}, or unset it: without it, nomadstack uses the credentials of its own agent."), e);
        }
    }

    /// <summary>Nomad cannot be reached, or has no leader now. Ask again later.</summary>
    public const string Away = "nomad/away";

    /// <summary>Nomad has nothing by that name.</summary>
    public const string Unknown = "job/unknown";

    public Task<JsonElement> ParseAsync(string hcl, CancellationToken cancel) => SendAsync("job/invalid", HttpMethod.Post, "jobs/parse", json =>
    {
        json.WriteStartObject();
        json.WriteString("JobHCL", hcl);
        json.WriteBoolean("Canonicalize", true);
        json.WriteEndObject();
    }, cancel);

    public Task<JsonElement> RegisterAsync(JsonElement job, CancellationToken cancel) => SendAsync("job/rejected", HttpMethod.Put, "jobs", json =>
    {
        json.WriteStartObject();
        json.WritePropertyName("Job");
        job.WriteTo(json);
        json.WriteEndObject();
    }, cancel);

    public Task<JsonElement> DeregisterAsync(string job, bool purge, CancellationToken cancel) =>
        SendAsync("job/rejected", HttpMethod.Delete, $"job/{Uri.EscapeDataString(job)}?purge={(purge ? "true" : "false")}", null, cancel);

    public Task<JsonElement> JobsAsync(CancellationToken cancel) => GetAsync("jobs", cancel);

    public Task<JsonElement> JobAsync(string job, CancellationToken cancel) => GetAsync($"job/{Uri.EscapeDataString(job)}", cancel);

    public Task<JsonElement> AllocationsAsync(string job, CancellationToken cancel) => GetAsync($"job/{Uri.EscapeDataString(job)}/allocations", cancel);

    public Task<JsonElement> EvaluationAsync(string id, CancellationToken cancel) => GetAsync($"evaluation/{Uri.EscapeDataString(id)}", cancel);

    public Task<JsonElement> DeploymentAsync(string id, CancellationToken cancel) => GetAsync($"deployment/{Uri.EscapeDataString(id)}", cancel);

    private Task<JsonElement> GetAsync(string path, CancellationToken cancel) => SendAsync("nomad/refused", HttpMethod.Get, path, null, cancel);

    private async Task<JsonElement> SendAsync(string refusal, HttpMethod method, string path, Action<Utf8JsonWriter>? body, CancellationToken cancel)
    {
        using var request = new HttpRequestMessage(method, Address(path));
        if (body is not null) request.Content = Content(body);
        using var limit = new CancellationTokenSource(s_deadline, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancel, limit.Token);
        return await AnswerAsync(async () =>
        {
            using var response = await endpoint.SendAsync(request, both.Token);
            var bytes = await response.Content.ReadAsByteArrayAsync(both.Token);
            if (!response.IsSuccessStatusCode) throw new ProblemException(Refused(refusal, response.StatusCode, Encoding.UTF8.GetString(bytes), path));
            using var document = JsonDocument.Parse(bytes);
            return document.RootElement.Clone();
        }, cancel);
    }

    private Uri Address(string path) =>
        new(endpoint.Address, $"/v1/{path}{(path.Contains('?', StringComparison.Ordinal) ? '&' : '?')}namespace={Uri.EscapeDataString(@namespace)}");

    private static ByteArrayContent Content(Action<Utf8JsonWriter> body)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer)) body(json);
        var content = new ByteArrayContent(buffer.ToArray());
        content.Headers.ContentType = new("application/json");
        return content;
    }

    private static Problem Refused(string code, HttpStatusCode status, string body, string path)
    {
        var said = body.Trim() is { Length: > 0 } text ? text : $"It answered with status {(int)status}.";
        return status switch
        {
            // Nomad has no status for a missing leader, only this text, which is the same in all versions.
            HttpStatusCode.InternalServerError when said.Contains("No cluster leader", StringComparison.Ordinal) =>
                new(Away, "Nomad has no leader now.", "The servers are electing one, or too few servers are running.", "Wait with `nomadstack wait --for quorum`. `nomadstack status` shows which servers are missing."),
            HttpStatusCode.NotFound => new(Unknown, $"Nomad does not know this: {path.Split('?')[0]}.", said, "`nomadstack job status` lists all jobs. Set NOMAD_NAMESPACE for another namespace."),
            HttpStatusCode.Forbidden => new("nomad/forbidden", "Nomad denied permission.", said, "Set NOMAD_TOKEN to a token that has this permission."),
            _ when code == "job/invalid" => new(code, "The job is not valid.", said, "Correct the file and run it again. Nothing was changed."),
            _ => new(code, "Nomad refused the request.", said, "Correct the request as Nomad says. Nothing was changed."),
        };
    }

    private Problem NoAnswer() => new(Away, $"Nomad does not answer at {endpoint.Text}.", "Its client or server there is starting, stopping or overloaded.", "See `nomadstack status`, or wait with `nomadstack wait --for quorum`.");

    private Problem Foreign() => new("nomad/foreign-answer", $"The answer at {endpoint.Text} is not Nomad's.", "Another program listens there, or a proxy is in between.", "`nomadstack status` shows where Nomad is.");
}
