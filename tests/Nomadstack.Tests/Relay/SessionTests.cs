// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Relay;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Relay;

public sealed class SessionTests
{
    private readonly Clock _clock = new();

    [Fact]
    public void ACodeLetsInOnce()
    {
        var session = new Session(40123, _clock);

        var cookie = session.Enter(session.Code);

        cookie.ShouldNotBeNull();
        session.Knows(cookie.Split(';')[0]).ShouldBeTrue();
        session.Enter(session.Code).ShouldBeNull();
    }

    [Fact]
    public void ACodeLetsInForTwoMinutes()
    {
        var (late, inTime) = (new Session(40123, _clock), new Session(40123, _clock));

        _clock.Elapsed = TimeSpan.FromMinutes(2);
        inTime.Enter(inTime.Code).ShouldNotBeNull();
        _clock.Elapsed += TimeSpan.FromSeconds(1);
        late.Enter(late.Code).ShouldBeNull();
    }

    [Fact]
    public void AWrongCodeDoesNotSpendTheRightOne()
    {
        var session = new Session(40123, _clock);

        session.Enter(null).ShouldBeNull();
        session.Enter("").ShouldBeNull();
        session.Enter(session.Code[..^1]).ShouldBeNull();
        session.Enter(new Session(40123, _clock).Code).ShouldBeNull();
        session.Enter(session.Code).ShouldNotBeNull();
    }

    [Fact]
    public void TheCookieIsForNoScriptAndNoOtherSite()
    {
        var session = new Session(40123, _clock);

        session.Enter(session.Code)!.Split("; ")[1..].ShouldBe(["Path=/", "HttpOnly", "SameSite=Strict"], ignoreOrder: true);
        session.CookieName.ShouldEndWith("40123");
    }

    [Fact]
    public void ACookieOfTheSameNameFromAnotherServerDoesNotShutUsOut()
    {
        var session = new Session(40123, _clock);
        var ours = session.Enter(session.Code)!.Split(';')[0];

        session.Knows($"{session.CookieName}=forged; {ours}").ShouldBeTrue();
        session.Knows($"{session.CookieName}=forged").ShouldBeFalse();
        session.Knows($"{session.CookieName}=").ShouldBeFalse();
        session.Knows(ours.Replace("40123", "40124", StringComparison.Ordinal)).ShouldBeFalse();
        session.Knows(default).ShouldBeFalse();
    }

    [Fact]
    public void CodeAndCookieAre256BitsOfTheirOwn()
    {
        var session = new Session(40123, _clock);
        var secret = session.Enter(session.Code)!.Split(';')[0].Split('=')[1];

        Convert.FromHexString(session.Code).Length.ShouldBe(32);
        Convert.FromHexString(secret).Length.ShouldBe(32);
        secret.ShouldNotBe(session.Code);
    }

    private sealed class Clock : TimeProvider
    {
        public TimeSpan Elapsed { get; set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Elapsed.Ticks;
    }
}
