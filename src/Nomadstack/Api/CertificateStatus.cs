// SPDX-License-Identifier: MPL-2.0
using System.Text.Json.Serialization;
using Nomadstack.Cluster;

namespace Nomadstack.Api;

/// <summary>One certificate on this node and how it stands.</summary>
/// <param name="Product">The product whose agents it is for, or <c>nomadstack</c> for what our own agents show each other.</param>
/// <param name="Kind"><c>ca</c>: the authority that signs; <c>node</c>: this node's own.</param>
/// <param name="Ends">Null where its file cannot be read.</param>
/// <param name="State"><c>fine|ends-soon|overdue|urgent|ended|not-yet-valid|unreadable</c>.</param>
internal sealed record CertificateStatus(string Product, string Kind, DateTimeOffset? Ends, string State)
{
    public const string OurAgents = "nomadstack";

    public const string Authority = "ca", Node = "node";

    public const string Fine = "fine", EndsSoon = "ends-soon", Overdue = "overdue", Urgent = "urgent", Ended = "ended", NotYetValid = "not-yet-valid", Unreadable = "unreadable";

    /// <summary>What it is, as a sentence begins.</summary>
    [JsonIgnore]
    public string Whose => (Kind, Product) switch
    {
        (Authority, OurAgents) => "The authority of our own agents",
        (Authority, _) => $"{Title}'s authority",
        (_, OurAgents) => "This node's certificate for other agents",
        _ => $"This node's certificate for {Title}",
    };

    private string Title => ProductTable.Known.Find(Product)?.Title ?? Product;
}
