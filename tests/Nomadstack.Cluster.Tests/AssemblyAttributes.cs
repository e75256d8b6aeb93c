// SPDX-License-Identifier: MPL-2.0
using Xunit;

// Real engines keep time: one test at a time, or they measure each other.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
