// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;

namespace Nomadstack.Products;

/// <summary>
/// The result of a call to a product's HTTP API. A server that is down, has no leader or refuses is an expected result, never an exception.
/// Only the caller's own cancellation is thrown.
/// </summary>
internal abstract record Answer<T>
{
    private Answer()
    {
    }

    /// <param name="Index">The product's index header; 0 if the path has none.</param>
    internal sealed record Ok(T Value, long Index = 0) : Answer<T>;

    /// <summary>The agent answered, but knows no leader that is ready.</summary>
    internal sealed record NoLeader(string Text) : Answer<T>;

    /// <summary>No answer: nobody listens, the connection broke, or the deadline passed.</summary>
    internal sealed record Unreachable(string Why) : Answer<T>;

    /// <summary>The agent refused, in its own words.</summary>
    internal sealed record Refused(int Status, string Text) : Answer<T>;

    public bool IsOk => this is Ok;

    /// <summary>The product's index header of a successful call; 0 otherwise.</summary>
    public long IndexSeen => this is Ok ok ? ok.Index : 0;

    public bool IsNotFound => this is Refused { Status: 404 };

    /// <summary>One sentence for a person; empty if the call succeeded.</summary>
    public string Complaint => this switch
    {
        NoLeader n => $"there is no leader ({n.Text})",
        Unreachable u => u.Why,
        Refused r => $"the server answered {r.Status}: {r.Text}",
        _ => "",
    };

    /// <summary>True with the value if the call succeeded.</summary>
    public bool Try([System.Diagnostics.CodeAnalysis.MaybeNullWhen(false)] out T value)
    {
        value = this is Ok ok ? ok.Value : default;
        return this is Ok;
    }

    /// <summary>The value, or a problem for callers that cannot continue without it.</summary>
    /// <exception cref="ProblemException">The call failed.</exception>
    public T OrThrow(string code, string what, string fix) =>
        this is Ok ok ? ok.Value : throw new ProblemException(new(code, what, Capital(Complaint) + ".", fix));

    public Answer<TOther> Map<TOther>(Func<T, TOther> map) => this switch
    {
        Ok ok => new Answer<TOther>.Ok(map(ok.Value), ok.Index),
        NoLeader n => new Answer<TOther>.NoLeader(n.Text),
        Unreachable u => new Answer<TOther>.Unreachable(u.Why),
        Refused r => new Answer<TOther>.Refused(r.Status, r.Text),
        _ => throw new InvalidOperationException($"unknown answer {this}"),
    };

    private static string Capital(string text) => text.Length == 0 ? text : char.ToUpperInvariant(text[0]) + text[1..];
}

/// <summary>The value of a call that has none.</summary>
internal readonly record struct Done;
