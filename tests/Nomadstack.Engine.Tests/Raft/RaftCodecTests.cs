// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Engine.Raft;
using Shouldly;
using Xunit;

namespace Nomadstack.Engine.Tests.Raft;

public sealed class RaftCodecTests
{
    private static readonly RaftMessage[] s_messages =
    [
        new VoteRequest("s1", "s2", 3, new(4, 2), PreVote: true, Transfer: false),
        new VoteReply("s1", "s2", 3, PreVote: false, Granted: true),
        new AppendRequest("s1", "s2", 3, new(4, 2), [new(5, 3, EntryKind.Command, new byte[] { 1, 2, 3 }), new(6, 3, EntryKind.Noop, default)], 4, 9),
        new AppendReply("s1", "s2", 3, Accepted: false, 0, 7, new(5, 1), 9),
        new SnapshotRequest("s1", "s2", 3, new(4, 2), 64, new byte[] { 4, 5 }, Last: true, 9),
        new SnapshotReply("s1", "s2", 3, new(4, 2), 66, 9),
        new TimeoutNow("s1", "s2", 3),
    ];

    [Fact]
    public void AMessageIsReadAsItWasWritten()
    {
        foreach (var message in s_messages)
        {
            var bytes = RaftCodec.Encode(message).ToArray();

            RaftCodec.Encode(RaftCodec.Decode(bytes)).ToArray().ShouldBe(bytes, message.ToString());
            RaftCodec.Decode(bytes).GetType().ShouldBe(message.GetType());
        }
    }

    [Fact]
    public void AMessageThatIsCutShortOrTooLongIsRefused()
    {
        foreach (var bytes in s_messages.Select(m => RaftCodec.Encode(m).ToArray()))
        {
            for (var length = 0; length < bytes.Length; length++) Should.Throw<InvalidDataException>(() => RaftCodec.Decode(bytes.AsMemory(0, length)));
            Should.Throw<InvalidDataException>(() => RaftCodec.Decode((byte[])[.. bytes, 0]));
        }
    }

    [Fact]
    public void AConfigurationIsReadAsItWasWritten()
    {
        RaftConfiguration configuration = new([new("s2", "b:1", Suffrage.Staging), new("s1", "a:1", Suffrage.Voter), new("s3", "", Suffrage.NonVoter)]);

        RaftConfiguration.Decode(configuration.Encode()).ShouldBe(configuration);
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 2)]
    [InlineData(3, 2)]
    [InlineData(4, 3)]
    [InlineData(5, 3)]
    public void AMajorityIsMoreThanHalfOfTheVoters(int voters, int majority)
    {
        RaftConfiguration configuration = new([.. Enumerable.Range(1, voters).Select(i => new RaftServer($"{i}", "", Suffrage.Voter)), new("x", "", Suffrage.NonVoter)]);

        for (var done = 0; done <= voters; done++)
            configuration.HasMajority(id => id == "x" || int.Parse(id, System.Globalization.CultureInfo.InvariantCulture) <= done).ShouldBe(done >= majority);
        RaftConfiguration.Empty.HasMajority(_ => true).ShouldBeFalse();
    }
}
