// SPDX-License-Identifier: MPL-2.0
using System.Net;
using System.Text;

namespace Nomadstack.Tests.Products;

/// <summary>An agent that answers what a test tells it to, and remembers what it was asked.</summary>
internal sealed class CannedHttp(Func<HttpRequestMessage, (int Status, string Body)> answer) : HttpMessageHandler
{
    public List<(string Call, string Body)> Asked { get; } = [];

    public long Index { get; init; }

    public static HttpMessageInvoker Answering(int status, string body) => new(new CannedHttp(_ => (status, body)));

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var body = request.Content is null ? "" : await request.Content.ReadAsStringAsync(cancellationToken);
        lock (Asked) Asked.Add(($"{request.Method} {request.RequestUri!.PathAndQuery}", body));
        var (status, text) = answer(request);
        var response = new HttpResponseMessage((HttpStatusCode)status) { Content = new StringContent(text, Encoding.UTF8) };
        if (Index > 0) response.Headers.Add("X-Nomad-Index", Index.ToString());
        return response;
    }
}

/// <summary>An agent that accepts and never answers.</summary>
internal sealed class SilentHttp : HttpMessageHandler
{
    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        await Task.Delay(Timeout.Infinite, cancellationToken);
        throw new InvalidOperationException();
    }
}
