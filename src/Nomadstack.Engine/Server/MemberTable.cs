// SPDX-License-Identifier: MPL-2.0
namespace Nomadstack.Engine.Server;

/// <summary>
/// Who the servers are, from what each says of itself and from when we last heard it. There is no gossip: they are a handful, and each speaks to every
/// other one. For any thread.
/// </summary>
internal sealed class MemberTable(ServerMember self, TimeProvider time)
{
    /// <summary>A server not heard for this long has failed. Longer than any pause of a busy machine, shorter than Nomad's half minute.</summary>
    public static readonly TimeSpan FailsAfter = TimeSpan.FromSeconds(10);

    /// <summary>So long is remembered who left.</summary>
    private static readonly TimeSpan s_remembered = TimeSpan.FromHours(24);

    private readonly Lock _gate = new();
    private readonly Dictionary<string, Known> _others = new(StringComparer.Ordinal);
    private ServerMember _self = self;

    private sealed record Known(ServerMember Member, long HeardAt, RaftReport? Raft);

    public ServerMember Self
    {
        get
        {
            lock (_gate) return _self;
        }
    }

    /// <summary>This server has something new to say of itself.</summary>
    public void Change(Func<ServerMember, ServerMember> change)
    {
        lock (_gate)
        {
            var changed = change(_self);
            if (changed != _self) _self = changed with { Incarnation = _self.Incarnation + 1 };
        }
    }

    /// <summary>Everybody, this server included, by name.</summary>
    public IReadOnlyList<MemberView> All(RaftReport? own)
    {
        lock (_gate)
            return [.. _others.Values.Select(k => new MemberView(k.Member, StatusOf(k), k.Raft)).Append(new MemberView(_self, Said(_self), own)).OrderBy(m => m.Member.Name, StringComparer.Ordinal)];
    }

    /// <summary>Where those can be reached who have spoken to us, or answered, in so long a time.</summary>
    public IReadOnlySet<string> HeardWithin(TimeSpan span)
    {
        lock (_gate) return _others.Values.Where(k => time.GetElapsedTime(k.HeardAt) < span).Select(k => k.Member.Rpc).ToHashSet(StringComparer.Ordinal);
    }

    public MemberExchange ToTell(RaftReport? own)
    {
        lock (_gate) return new MemberExchange(_self, own, [.. _others.Values.Select(k => k.Member)]);
    }

    /// <summary>A server has spoken to us, and told whom it knows.</summary>
    public void Hear(MemberExchange exchange)
    {
        lock (_gate)
        {
            Learn(exchange.From, heard: true);
            if (_others.TryGetValue(exchange.From.Name, out var known)) _others[exchange.From.Name] = known with { HeardAt = time.GetTimestamp(), Raft = exchange.Raft };
            foreach (var member in exchange.Members) Learn(member, heard: false);
        }
    }

    /// <summary>An operator says that a failed server will not return. A server that lives contradicts.</summary>
    /// <param name="prune">It is forgotten as well, and not only after a day.</param>
    public void ForceLeave(string name, bool prune)
    {
        lock (_gate)
        {
            if (!_others.TryGetValue(name, out var known)) return;
            if (prune) _others.Remove(name);
            else if (!known.Member.Left) _others[name] = known with { Member = known.Member with { Left = true, Incarnation = known.Member.Incarnation + 1 } };
        }
    }

    public void ForgetOld()
    {
        lock (_gate)
        {
            foreach (var (name, known) in _others.Where(o => o.Value.Member.Left && time.GetElapsedTime(o.Value.HeardAt) > s_remembered).ToList()) _others.Remove(name);
        }
    }

    private void Learn(ServerMember member, bool heard)
    {
        if (member.Name == _self.Name && member.ID == _self.ID)
        {
            // Somebody has us for gone, or remembers an earlier life: we are here.
            if (member.Incarnation >= _self.Incarnation && member != _self) _self = _self with { Incarnation = member.Incarnation + 1 };
            return;
        }

        // The same server under a name it no longer has.
        if (member.ID == _self.ID) return;
        var namesake = _others.Values.FirstOrDefault(k => k.Member.ID == member.ID && k.Member.Name != member.Name);
        if (namesake is not null)
        {
            if (namesake.Member.Incarnation > member.Incarnation) return;
            _others.Remove(namesake.Member.Name);
        }

        if (_others.TryGetValue(member.Name, out var known) && (known.Member.Incarnation > member.Incarnation || (known.Member.Incarnation == member.Incarnation && !heard))) return;
        _others[member.Name] = new Known(member, known?.HeardAt ?? time.GetTimestamp(), known?.Raft);
    }

    private string StatusOf(Known known) =>
        known.Member.Left ? MemberStatus.Left
        : time.GetElapsedTime(known.HeardAt) > FailsAfter ? MemberStatus.Failed
        : Said(known.Member);

    private static string Said(ServerMember member) => member.Left ? MemberStatus.Left : member.Leaving ? MemberStatus.Leaving : MemberStatus.Alive;
}
