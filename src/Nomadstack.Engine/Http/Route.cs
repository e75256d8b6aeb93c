// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Http.Calls;
using Nomadstack.Engine.Jobs;

namespace Nomadstack.Engine.Http;

internal enum Access
{
    /// <summary>Every agent answers for itself.</summary>
    Agent,

    /// <summary>The client that has the allocation, or is the node, answers.</summary>
    Node,

    /// <summary>Any server answers from what it knows itself. A client passes this on, as all that follows.</summary>
    Local,

    /// <summary>The leader answers, or with <c>?stale</c> whoever is asked.</summary>
    Read,

    /// <summary>Only the leader can.</summary>
    Write,

    /// <summary>As <see cref="Write"/>, and only between agents, on the RPC port.</summary>
    Rpc,

    /// <summary>As <see cref="Local"/>, and only between agents.</summary>
    LocalRpc,

    /// <summary>Nomad answers it and this engine does not; it stands here because a pattern of another call would take it.</summary>
    NotServed,
}

/// <summary>One call of the API.</summary>
/// <param name="Methods">Separated by a bar.</param>
/// <param name="Pattern">A star stands for one part of the path.</param>
/// <param name="Right">What its caller needs. Every call says so, if only that it needs nothing.</param>
/// <param name="Query">The parameters it knows beside those of every call, separated by spaces.</param>
/// <param name="Body">What its body may hold; null for nothing.</param>
/// <param name="MaxBody">In bytes.</param>
internal sealed record Route(string Methods, string Pattern, Access Access, Right Right, Func<ApiCall, Task>? Answer, string Query = "", JobBlock? Body = null, int MaxBody = BodyBudget.Small)
{
    private readonly string[] _pattern = Pattern.Split('/');
    private readonly string[] _methods = Methods.Split('|');

    public IReadOnlyList<string> Parameters { get; } = Query.Split(' ', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>Whether a GET does what a PUT does: HashiCorp's client collects garbage by GET.</summary>
    public bool ActsOnGet { get; init; }

    /// <summary>Answers, if the caller may ask.</summary>
    /// <exception cref="Server.ServerException">He may not, or the call was refused.</exception>
    public async Task RunAsync(ApiCall call)
    {
        await call.AuthorizeAsync();
        await Answer!(call);
    }

    public bool Allows(string method) => _methods.Contains(method);

    /// <summary>What stands in the place of the stars; null when the path is another.</summary>
    public IReadOnlyList<string>? Match(string[] path)
    {
        if (path.Length != _pattern.Length) return null;
        var parts = new List<string>();
        for (var i = 0; i < path.Length; i++)
        {
            if (_pattern[i] == "*" && path[i].Length > 0) parts.Add(Uri.UnescapeDataString(path[i]));
            else if (_pattern[i] != path[i]) return null;
        }

        return parts;
    }
}
