// SPDX-License-Identifier: MPL-2.0
using System.Collections.Concurrent;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Nomadstack.Tests.Cli;

/// <summary>A Nomad HTTP API whose answers a test writes down by path; several answers to one path come one after the other, the last one stays.</summary>
internal sealed class FakeNomad : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentDictionary<string, ConcurrentQueue<(int Status, string Body)>> _answers = new();

    private FakeNomad(WebApplication app) => _app = app;

    public string Address => _app.Urls.Single();

    /// <summary>Method, path and body of every call that changes something.</summary>
    public ConcurrentQueue<(string Call, string Body)> Changes { get; } = new();

    public ConcurrentQueue<string> Tokens { get; } = new();

    /// <summary>Answers what it wants to answer by itself, and returns whether it did.</summary>
    public Func<HttpContext, Task<bool>> First { get; set; } = _ => Task.FromResult(false);

    public static async Task<FakeNomad> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        var app = builder.Build();
        var nomad = new FakeNomad(app);
        app.UseWebSockets();
        app.Run(nomad.AnswerAsync);
        await app.StartAsync();
        return nomad;
    }

    public FakeNomad On(string call, params string[] bodies)
    {
        foreach (var body in bodies) _answers.GetOrAdd(call, _ => new()).Enqueue((200, body));
        return this;
    }

    public FakeNomad Refuse(string call, int status, string body)
    {
        _answers.GetOrAdd(call, _ => new()).Enqueue((status, body));
        return this;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task AnswerAsync(HttpContext http)
    {
        var call = $"{http.Request.Method} {http.Request.Path}";
        if (http.Request.Headers["X-Nomad-Token"].ToString() is { Length: > 0 } token) Tokens.Enqueue(token);
        if (await First(http)) return;
        using var body = new StreamReader(http.Request.Body);
        if (http.Request.Method != "GET") Changes.Enqueue((call + http.Request.QueryString, await body.ReadToEndAsync()));
        if (!_answers.TryGetValue(call, out var answers)) _answers[call] = answers = new([(404, call + " is not scripted")]);
        var taken = answers.Count > 1 && answers.TryDequeue(out var next) ? next : answers.TryPeek(out var last) ? last : default;
        http.Response.StatusCode = taken.Status;
        await http.Response.WriteAsync(taken.Body);
    }
}
