// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Cluster;

namespace Nomadstack.Relay;

/// <summary>Why the relay does not let somebody in, or cannot reach what it relays to, in words for whoever sits at the browser.</summary>
internal static class RelayProblems
{
    public static Problem NotEntered() => new(
        "ui/not-entered",
        "This browser has not come in through the one-time address.",
        "Others on this machine can reach this port as well. What the address leaves in the browser tells you from them.",
        "Open the address that `nomadstack ui` printed, in this browser. If it was used, or is older than two minutes, run the command again.");

    public static Problem CodeSpent() => new(
        "ui/code-spent",
        "This address cannot be used any more.",
        "It works once, and for two minutes.",
        "End `nomadstack ui` with Ctrl-C and run it again. If you did not open the address before, somebody else did.");

    public static Problem OtherUser(uint? user) => new(
        "ui/other-user",
        "Another user of this machine may not use this page.",
        user is { } id
            ? $"The connection comes from a process of user id {id}. The page belongs to whoever ran `nomadstack ui`."
            : "The kernel does not say whose connection this is.",
        "Open it in a browser of the user who ran `nomadstack ui`. For a tunnel, log in with ssh as that user.");

    public static Problem OtherHost(string host, int port) => new(
        "ui/other-host",
        host.Length > 0 ? $"This page is not called {host}." : "This request names no host.",
        $"It answers as 127.0.0.1:{port} and localhost:{port} alone, so that no web page can reach it under a name of its own.",
        $"Open it as http://127.0.0.1:{port}. A tunnel needs the same port at both ends: ssh -L {port}:127.0.0.1:{port}");

    public static Problem OtherPage(string from) => new(
        "ui/other-page",
        "Another web page may not lead here.",
        $"The browser says that this request comes from {from}.",
        "Type or paste the address into the browser's address bar instead of following a link.");

    public static Problem OddRequest() => new(
        "ui/odd-request",
        "This request asks for no path.",
        "Only requests for a path are relayed. A proxy may have changed it.",
        "Connect to the page without a proxy.");

    public static Problem NotThere(Product product) => new(
        "ui/no-product",
        $"This cluster has no {product.Title}.",
        "This node is not a member of a cluster, or the cluster was made without it.",
        "See `nomadstack status`.");

    public static Problem Away(Product product, string address, string why) => new(
        "ui/away",
        $"{product.Title} at {address} does not answer.",
        why,
        "`nomadstack status` says what is missing. This page goes on by itself when it is back.");

    public static Problem BrokenOff(Product product, string address, string why) => new(
        "ui/broken-off",
        $"{product.Title} at {address} broke off before it answered.",
        why,
        "Look whether what you asked for was done before you ask again.");

    public static Problem CredentialsUnreadable(Product product, string why) => new(
        "ui/credentials-unreadable",
        $"This node's certificate for {product.Title} cannot be read.",
        why,
        "Run `nomadstack ui` as the user that runs the agent. `nomadstack doctor` checks the files.");

    public static Problem PortTaken(int port, string why) => new(
        "ui/port-taken",
        $"Port {port} on 127.0.0.1 cannot be opened.",
        why,
        "Choose another one with --port, or leave it out to get a free one.");
}
