// SPDX-License-Identifier: MPL-2.0
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
}

/// <summary>One call of the API.</summary>
/// <param name="Methods">Separated by a bar.</param>
/// <param name="Pattern">A star stands for one part of the path.</param>
internal sealed record Route(string Methods, string Pattern, Access Access, Func<ApiCall, Task> Answer)
{
    private readonly string[] _pattern = Pattern.Split('/');
    private readonly string[] _methods = Methods.Split('|');

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
