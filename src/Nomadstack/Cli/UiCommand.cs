// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using System.Text.Json.Nodes;
using Nomadstack.Api;
using Nomadstack.Cli.Options;
using Nomadstack.Cluster;
using Nomadstack.Relay;

namespace Nomadstack.Cli;

/// <summary><c>nomadstack ui</c>: a product's own web page in the operator's browser, until Ctrl-C.</summary>
internal sealed class UiCommand : Command
{
    private readonly Surroundings _here;
    private readonly GlobalOptions _global;
    private readonly Argument<string> _product;
    private readonly Option<bool> _printUrl;
    private readonly Option<int?> _port;

    public UiCommand(Surroundings here, GlobalOptions global)
        : base("ui", $"Open {Owners()} own web page in a browser, let in with this node's credentials, until Ctrl-C")
    {
        (_here, _global) = (here, global);
        var (names, scheduler) = (ProductTable.Known.Shown.Select(p => p.Name).ToArray(), ProductTable.Known.Scheduler);
        _product = new("PRODUCT") { Description = "Whose page", Arity = ArgumentArity.ZeroOrOne, DefaultValueFactory = _ => scheduler.Name };
        _product.AcceptOnlyFromAmong(names);
        _printUrl = Setting.Flag(here, "--print-url", "Print the one-time address and open no browser");
        _port = Setting.Port(here, "--port", "The port on 127.0.0.1, the same at both ends of a tunnel; default: a free one", "NOMADSTACK_UI_PORT");
        Arguments.Add(_product);
        Options.Add(_printUrl);
        Options.Add(_port);
        SetAction(RunAsync);
    }

    private async Task<int> RunAsync(ParseResult parse, CancellationToken cancel)
    {
        var product = ProductTable.Known[parse.GetValue(_product)!];
        using var agent = _global.Client(parse);
        var upstream = new Upstream(product, agent.EndpointsAsync);
        // What cannot be had at all is said here. A product that is only down is for the page to say, which goes on when it is back.
        await upstream.FindAsync(cancel);
        var where = await agent.EndpointsAsync(cancel);
        await using var relay = await RelayHost.StartAsync(upstream, parse.GetValue(_port) ?? 0, ConnectedUser.Operators(_here.Variable), _here.Time, cancel);
        var json = parse.GetValue(_global.Json);
        var document = new JsonObject { ["product"] = product.Name, ["url"] = relay.EntryAddress, ["validUntil"] = relay.EntryEnds };
        _here.Out.WriteLine(json ? document.ToJsonString() : relay.EntryAddress);
        _here.Out.Flush();
        if (!json && !parse.GetValue(_printUrl)) _here.Error.WriteLine(Open(product, relay.EntryAddress, where));
        try
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, _here.Time, cancel);
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            // Ctrl-C, which is how this ends.
        }

        return ExitCode.Done;
    }

    private string Open(Product product, string address, Endpoints known)
    {
        var others = from other in ProductTable.Known.Shown
                     where other != product && known.Of(other.Name).Address is not null
                     select $" {other.Title}'s is opened with `nomadstack ui {other.Name}`.";
        var said = _here.User.IsRoot ? "no browser is started as root"
            : !IsSet("DISPLAY") && !IsSet("WAYLAND_DISPLAY") ? "there is no display here"
            : _here.Browse(address);
        var opened = said is null ? "opened in the browser" : $"{said}, open the address yourself";
        return $"{product.Title}'s own page: {opened}. The address works once, within two minutes. Ctrl-C ends it.{string.Concat(others)}";
    }

    private static string Owners() => string.Join(" or ", ProductTable.Known.Shown.Select(p => p.Title + "'s"));

    private bool IsSet(string variable) => !string.IsNullOrEmpty(_here.Variable(variable));
}
