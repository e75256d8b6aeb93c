// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging;
using Nomadstack.Cluster;

namespace Nomadstack.Operations;

/// <summary>What a flow's decision comes to.</summary>
internal abstract record Next<TStep>
{
    private Next()
    {
    }

    /// <summary>Do this, or, where the step has no act, wait for it.</summary>
    internal sealed record Step(TStep Of, string InWords) : Next<TStep>;

    internal sealed record Done(string Note = "") : Next<TStep>;

    /// <summary>It cannot be done, and nothing is to be undone.</summary>
    internal sealed record Refused(Problem Problem) : Next<TStep>;
}

/// <summary>
/// An operation: observe, decide, act, until the decision is done. What was asked is on disk before the first act, progress is never trusted: an agent that was killed anywhere runs the
/// same flow again and finds by observing where the world is. What fails before the commit point is undone, what fails after it is tried again.
/// </summary>
/// <typeparam name="TFacts">One reading of all the decision depends on.</typeparam>
/// <typeparam name="TStep">Compared by value: the same step twice in a row is one that takes its time.</typeparam>
internal abstract class Flow<TFacts, TStep>(TimeProvider time, ILogger log)
    where TStep : notnull
{
    /// <summary>Between two looks.</summary>
    protected abstract TimeSpan Poll { get; }

    /// <summary>How long one step may take before the flow fails, or, past the commit point, says so; null for as long as it takes.</summary>
    protected virtual TimeSpan? StepDeadline => null;

    /// <summary>From here on there is only forward. True for a flow that undoes nothing.</summary>
    protected abstract bool IsPastTheCommitPoint { get; }

    /// <param name="say">Told what is waited for.</param>
    protected abstract Task<TFacts> ObserveAsync(Action<string> say, CancellationToken cancel);

    /// <summary>Pure and total.</summary>
    protected abstract Next<TStep> Decide(TFacts facts);

    /// <summary>Does the step; may be repeated.</summary>
    protected abstract Task ActAsync(TStep step, OperationRun run, CancellationToken cancel);

    /// <summary>Takes back what was done before the commit point; may be repeated.</summary>
    protected virtual Task UndoAsync(OperationRun run, CancellationToken cancel) => Task.CompletedTask;

    /// <summary>What a step that overran its deadline is called.</summary>
    protected virtual Problem TooSlow(string step, TimeSpan limit, string waitedFor) => throw new InvalidOperationException("a flow with a deadline says what it means");

    /// <summary>What is told when an agent finds a flow half undone and finishes that.</summary>
    protected virtual Problem Undone => throw new InvalidOperationException("a flow that undoes says what it means");

    /// <summary>Runs to the end: done, refused, or undone and failed. Cancellation leaves it running on disk, for the next agent to continue.</summary>
    public async Task RunAsync(OperationRun run, CancellationToken cancel)
    {
        var failure = Interrupted(run);
        if (failure is null)
        {
            try
            {
                if (await ForwardAsync(run, cancel) is { } refused) run.Fail(refused);
                return;
            }
            catch (Exception e) when (Trouble.IsOfTheMachine(e) && !IsPastTheCommitPoint)
            {
                failure = Trouble.Of(e);
                log.LogWarning("The {Kind} failed and is undone: {Problem}", run.Current.Kind, failure);
                run.IntendUndo();
            }
        }

        run.Step("undo what was begun");
        await UndoAsync(run, cancel);
        run.Fail(failure);
    }

    private Problem? Interrupted(OperationRun run) => run.Undoing ? Undone : null;

    /// <returns>Why it was refused; null when it is done.</returns>
    private async Task<Problem?> ForwardAsync(OperationRun run, CancellationToken cancel)
    {
        TStep? current = default;
        var entered = time.GetTimestamp();
        while (true)
        {
            try
            {
                switch (Decide(await ObserveAsync(run.WaitFor, cancel)))
                {
                    case Next<TStep>.Done done:
                        run.Finish(done.Note);
                        return null;
                    case Next<TStep>.Refused refused:
                        return refused.Problem;
                    case Next<TStep>.Step { Of: var step, InWords: var words }:
                        if (!EqualityComparer<TStep>.Default.Equals(step, current))
                        {
                            (current, entered) = (step, time.GetTimestamp());
                            run.Step(words);
                        }
                        else if (StepDeadline is { } limit && time.GetElapsedTime(entered) > limit)
                        {
                            throw new ProblemException(TooSlow(words, limit, run.Current.Reason));
                        }

                        await ActAsync(step, run, cancel);
                        break;
                }
            }
            catch (Exception e) when (Trouble.IsOfTheMachine(e) && IsPastTheCommitPoint)
            {
                // There is only forward from here, and every act may be repeated.
                run.WaitFor(Trouble.Of(e).ToString());
                log.LogError("The {Kind} cannot go on and tries again: {Problem}", run.Current.Kind, Trouble.Of(e));
                entered = time.GetTimestamp();
            }

            await Task.Delay(Poll, time, cancel);
        }
    }
}
