// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging;
using Nomadstack.Cluster;
using Nomadstack.Life;
using Nomadstack.Tests.Room;
using Shouldly;
using Xunit;

namespace Nomadstack.Tests.Life;

public sealed class LifetimeTests
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(20);

    private readonly Lines _log = new();
    private readonly InstantTime _time = new();

    [Theory]
    [InlineData(typeof(IOException))]
    [InlineData(typeof(InvalidOperationException))]
    [InlineData(typeof(OperationCanceledException))]
    public async Task ALoopSurvivesWhateverItsRoundThrowsAndSaysSoOnce(Type thrown)
    {
        await using var life = new Lifetime(_time, _log, default);
        var (rounds, enough) = (0, new TaskCompletionSource());

        _ = life.Loop("the loop", async ending =>
        {
            if (++rounds <= 3) throw (Exception)Activator.CreateInstance(thrown, "same")!;
            enough.TrySetResult();
            await Task.Delay(Timeout.InfiniteTimeSpan, ending);
        });
        await enough.Task.WaitAsync(s_limit);
        await life.EndAsync();

        rounds.ShouldBe(4);
        _log.Errors.ShouldHaveSingleItem().ShouldStartWith("the loop failed and will be tried again:");
    }

    [Fact]
    public async Task AProblemIsToldInItsOwnWords()
    {
        await using var life = new Lifetime(_time, _log, default);
        var again = new TaskCompletionSource();
        var rounds = 0;

        _ = life.Loop("the loop", async ending =>
        {
            if (++rounds == 1) throw new ProblemException(new("x/y", "It broke.", "It was old.", "Buy another."));
            again.TrySetResult();
            await Task.Delay(Timeout.InfiniteTimeSpan, ending);
        });
        await again.Task.WaitAsync(s_limit);

        _log.Errors.ShouldBe(["the loop failed and will be tried again: It broke. It was old. Buy another."]);
    }

    [Fact]
    public async Task TheEndAwaitsEverythingThatWasBegun()
    {
        await using var life = new Lifetime(_time, _log, default);
        var (begun, ended) = (new TaskCompletionSource(), false);
        _ = life.Begin("slow to end", async ending =>
        {
            begun.SetResult();
            await Task.Delay(Timeout.InfiniteTimeSpan, ending).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await Task.Yield();
            ended = true;
        });
        await begun.Task.WaitAsync(s_limit);
        life.Running.ShouldBe(["slow to end"]);

        await life.EndAsync().WaitAsync(s_limit);

        ended.ShouldBeTrue();
        life.Running.ShouldBeEmpty();
    }

    [Fact]
    public async Task NothingIsBegunAfterTheEnd()
    {
        await using var life = new Lifetime(_time, _log, default);
        await life.EndAsync();

        Should.Throw<OperationCanceledException>(() => { _ = life.Begin("too late", _ => Task.CompletedTask); });
    }

    [Fact]
    public async Task AFailureThatNobodyAwaitsIsLogged()
    {
        await using var life = new Lifetime(_time, _log, default);

        _ = life.Begin("a task", _ => Task.FromException(new InvalidOperationException("a bug")));
        await life.EndAsync().WaitAsync(s_limit);

        _log.Errors.ShouldHaveSingleItem().ShouldContain("a bug");
    }

    [Fact]
    public async Task WhatIsToldWhileNobodyWaitsIsNotLost()
    {
        var wake = new Wake(TimeProvider.System);
        wake.Tell();
        wake.Tell();

        (await wake.WaitAsync(s_limit, default)).ShouldBeTrue();
        (await wake.WaitAsync(TimeSpan.Zero, default)).ShouldBeFalse("told often, it wakes once");
    }

    private sealed class Lines : ILogger
    {
        private readonly List<string> _errors = [];

        public IReadOnlyList<string> Errors
        {
            get
            {
                lock (_errors) return [.. _errors];
            }
        }

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (logLevel != LogLevel.Error) return;
            lock (_errors) _errors.Add(formatter(state, exception));
        }
    }
}
