// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Bootstrap;
using Nomadstack.Cluster;

namespace Nomadstack.Tests.Bootstrap;

/// <summary>
/// A machine on which each step of the bootstrap has its effect: what is recorded survives a crash, what runs survives the agent but no power cut,
/// and time passes in between.
/// </summary>
internal sealed class World(IReadOnlyList<Product> stack)
{
    private readonly IReadOnlyDictionary<Product, Server> _servers = stack.ToDictionary(p => p, p => new Server(hasClient: p.HasClient));
    private bool _tracesGone;

    public int Minted { get; private set; }

    /// <summary>A bootstrap server went before a server that holds its data was there.</summary>
    public bool LostData { get; private set; }

    /// <summary>The steps taken, each once; ends with Done, or after as many effects as given.</summary>
    public List<BootstrapStep> Run(int effects = int.MaxValue)
    {
        List<BootstrapStep> steps = [];
        for (var rounds = 0; effects > 0; rounds++)
        {
            if (rounds > 200) throw new TimeoutException($"no end after {string.Join(", ", steps)}: {Facts()}");
            var step = BootstrapDecision.Next(Facts());
            if (steps.Count == 0 || steps[^1] != step) steps.Add(step);
            if (step.Verb == BootstrapVerb.Done) return steps;
            effects -= Act(step, effects);
            foreach (var server in _servers.Values) server.Pass(Scheduler.ClientRuns);
        }

        return steps;
    }

    /// <summary>How many effects a run without a crash has.</summary>
    public int Effects()
    {
        var n = 0;
        for (; Run(effects: 1)[^1].Verb != BootstrapVerb.Done; n++)
        {
        }

        return n;
    }

    /// <summary>The agent dies; with the power, everything that ran. At its start it brings up what is recorded, but for a bootstrap server that was leaving.</summary>
    public void Crash(bool powerCut)
    {
        if (!powerCut) return;
        foreach (var server in _servers.Values) server.Reboot();
    }

    private Server Scheduler => _servers[stack.Single(p => p.Schedules)];

    private BootstrapFacts Facts() => new(Minted > 0, [.. stack.Select(p => (p, _servers[p].Facts(Scheduler.Led)))], Scheduler is { ClientRuns: true, Led: true }, _tracesGone, Healthy: true);

    /// <returns>How many effects it had: none where it only waits, and no more than <paramref name="most"/>, after which the agent dies.</returns>
    private int Act(BootstrapStep step, int most)
    {
        switch (step.Verb)
        {
            case BootstrapVerb.MintCluster: Minted++; return 1;
            case BootstrapVerb.StartServer: _servers[step.Product!].Start(); return 1;
            case BootstrapVerb.StartClient: _servers[step.Product!].ClientRuns = true; return 1;
            case BootstrapVerb.Close: return _servers[step.Product!].Close();
            case BootstrapVerb.RegisterJob: _servers[step.Product!].Registered = true; return 1;
            case BootstrapVerb.RemoveServer: return Remove(_servers[step.Product!], most);
            case BootstrapVerb.RemoveTraces: _tracesGone = true; return 1;
            default: return 0;
        }
    }

    /// <summary>Intent, leave, retire: one step of the agent, which may die between any two.</summary>
    private int Remove(Server server, int most)
    {
        var done = 0;
        for (; done < most && !server.Retired; done++)
        {
            if (!server.Leaving) server.Leaving = true;
            else if (server.Member)
            {
                LostData |= !server.JobVoter;
                server.Leave();
            }
            else server.Retired = true;
        }

        return done;
    }

    /// <summary>One product's pair of servers: the bootstrap server and the one that is a job.</summary>
    private sealed class Server(bool hasClient)
    {
        private bool _recorded;
        private bool _left;
        private bool _runs;
        private bool _jobRuns;
        private bool _jobRecorded;

        /// <summary>This node's client; one that does not exist is none to wait for.</summary>
        public bool ClientRuns { get; set; } = !hasClient;

        public bool Registered { get; set; }

        /// <summary>Access control is initialised: part of what raft has.</summary>
        public bool Closed { get; private set; }

        /// <summary>Needs a leader.</summary>
        public int Close()
        {
            if (Led) Closed = true;
            return Led ? 1 : 0;
        }

        public bool Leaving { get; set; }
        public bool Retired { get; set; }

        /// <summary>The raft configuration names the bootstrap server.</summary>
        public bool Member => _recorded && !_left;

        public bool JobVoter { get; private set; }

        /// <summary>A majority of the voters runs.</summary>
        public bool Led => (_runs && Member ? 1 : 0) + (_jobRuns && JobVoter ? 1 : 0) > ((Member ? 1 : 0) + (JobVoter ? 1 : 0)) / 2;

        /// <param name="jobsCanBeRead">The scheduler has a leader that tells.</param>
        public ProductFacts Facts(bool jobsCanBeRead) => new(_runs, Led, (Closed && Led) || _jobRecorded, Registered && jobsCanBeRead, JobVoter, Leaving, Retired, ClientRuns);

        public void Start()
        {
            _runs = true;
            _recorded = true;
        }

        public void Leave() => (_left, _runs) = (true, false);

        /// <summary>Nomad places the job server and autopilot makes it a voter.</summary>
        public void Pass(bool clientRuns)
        {
            if (Registered && clientRuns) (_jobRuns, _jobRecorded) = (true, true);
            if (_jobRuns && Led) JobVoter = true;
        }

        /// <summary>The agent starts again what is recorded, the job server among it.</summary>
        public void Reboot()
        {
            _runs = _recorded && !Leaving && !Retired;
            ClientRuns = !hasClient;
        }
    }
}
