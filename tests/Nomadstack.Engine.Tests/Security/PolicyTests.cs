// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Acl;
using Shouldly;
using Xunit;

namespace Nomadstack.Engine.Tests.Security;

public sealed class PolicyTests
{
    [Theory]
    [InlineData("flavour = 1", "line 1: flavour is not known to the embedded engine")]
    [InlineData("\nflavour {}", "line 2: flavour is not known to the embedded engine")]
    [InlineData("namespace { policy = \"read\" }", "line 1: namespace needs one name")]
    [InlineData("namespace \"a b\" { policy = \"read\" }", "line 1: namespace \"a b\": the name may have letters, digits, dashes and stars")]
    [InlineData("namespace \"a\" { policy = \"rule\" }", "line 1: namespace \"a\": policy is \"rule\" and not one of deny, read, write, scale")]
    [InlineData("namespace \"a\" { capabilities = [\"fly\"] }", "line 1: namespace \"a\": the embedded engine does not know the capability \"fly\"")]
    [InlineData("namespace \"a\" { colour = \"red\" }", "line 1: namespace \"a\": colour is not known to the embedded engine")]
    [InlineData("namespace \"a\" {\n services {}\n}", "line 2: namespace \"a\": services is not known to the embedded engine")]
    [InlineData("namespace \"a\" { policy = \"read\" }\nnamespace \"a\" { policy = \"write\" }", "line 2: namespace \"a\" is there twice")]
    [InlineData("agent {\n policy = \"read\"\n policy = \"write\"\n}", "line 3: Attribute redefined; The argument \"policy\" was already set. Each argument may be set only once.")]
    [InlineData("agent {}", "line 1: agent: policy is missing")]
    [InlineData("agent \"x\" { policy = \"read\" }", "line 1: agent takes no name")]
    [InlineData("plugin { policy = \"write\" }", "line 1: plugin: policy is \"write\" and not one of deny, read, list")]
    public void WhatARuleCannotSayIsRefusedByNameAndLine(string rules, string complaint) =>
        Should.Throw<PolicyException>(() => PolicyRules.Parse(rules)).Message.ShouldBe(complaint);

    [Fact]
    public void RulesOfWhatTheEngineDoesNotHaveAreTakenByTheirForm() => PolicyRules.Parse(
        """
        quota { policy = "read" }
        plugin { policy = "list" }
        host_volume "data*" { capabilities = ["mount-readonly"] }
        node_pool "*" { policy = "read" }
        namespace "default" {
          policy = "read"
          variables {
            path "a/*" { capabilities = ["read"] }
          }
        }
        """).Namespaces.ShouldHaveSingleItem();

    [Fact]
    public void AllThatIsWrongIsSaidAtOnce() =>
        Should.Throw<PolicyException>(() => PolicyRules.Parse("agent {}\nnode {}")).Message.ShouldBe("line 1: agent: policy is missing; line 2: node: policy is missing");

    [Theory]
    [InlineData("default", "read-job", true)]
    [InlineData("default", "submit-job", false)]
    [InlineData("prod-web", "read-job", false)]
    [InlineData("prod-web", "submit-job", true)]
    [InlineData("prod-api", "submit-job", false)]
    [InlineData("prod-api", "read-job", true)]
    [InlineData("test", "list-jobs", true)]
    [InlineData("test", "read-job", false)]
    public void TheClosestRuleForANamespaceCounts(string ns, string capability, bool granted) => Of(
        """
        namespace "*" { capabilities = ["list-jobs"] }
        namespace "default" { policy = "read" }
        namespace "prod-*" { capabilities = ["submit-job"] }
        namespace "prod-a*i" { policy = "read" }
        """).In(ns, capability).ShouldBe(granted);

    [Fact]
    public void PoliciesAddUpAndADenialOutweighsThem()
    {
        var both = Of("namespace \"default\" { policy = \"read\" }\nagent { policy = \"read\" }", "namespace \"default\" { capabilities = [\"read-logs\"] }\nagent { policy = \"write\" }");
        both.In("default", "read-logs").ShouldBeTrue();
        both.In("default", "read-job").ShouldBeTrue();
        both.Agent(Level.Write).ShouldBeTrue();
        both.Node(Level.Read).ShouldBeFalse();

        var denied = Of("namespace \"default\" { policy = \"write\" }\nagent { policy = \"write\" }", "namespace \"default\" { policy = \"deny\" }\nagent { policy = \"deny\" }");
        denied.In("default", "read-job").ShouldBeFalse();
        denied.Sees("default").ShouldBeFalse();
        denied.Agent(Level.Read).ShouldBeFalse();
    }

    private static Grants Of(params string[] rules) => Grants.Of(rules.Select(PolicyRules.Parse));
}
