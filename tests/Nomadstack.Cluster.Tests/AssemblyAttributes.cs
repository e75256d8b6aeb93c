// SPDX-License-Identifier: MPL-2.0
using Xunit;

// Most of a scenario is waiting for engines, so two go side by side. Those whose figures count have the machine for themselves (Timed).
[assembly: CollectionBehavior(MaxParallelThreads = 2)]
