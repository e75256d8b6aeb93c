// SPDX-License-Identifier: MPL-2.0
using Nomadstack.Bootstrap;

namespace Nomadstack.Tests.Bootstrap;

/// <summary>
/// A machine on which each step of the bootstrap has its effect: what is recorded survives a crash, what runs survives the agent but no power cut,
/// and time passes in between.
/// </summary>
internal sealed class World(bool consul)
{
    private readonly Server _nomad = new();
    private readonly Server? _consul = consul ? new() : null;
    private bool _consulClient;
    private bool _nomadClient;
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
            if (step == BootstrapStep.Done) return steps;
            effects -= Act(step, effects);
            foreach (var server in Servers) server.Pass(_nomadClient);
        }

        return steps;
    }

    /// <summary>How many effects a run without a crash has.</summary>
    public int Effects()
    {
        var n = 0;
        for (; Run(effects: 1)[^1] != BootstrapStep.Done; n++)
        {
        }

        return n;
    }

    /// <summary>The agent dies; with the power, everything that ran. At its start it brings up what is recorded, but for a bootstrap server that was leaving.</summary>
    public void Crash(bool powerCut)
    {
        if (!powerCut) return;
        _consulClient = _nomadClient = false;
        foreach (var server in Servers) server.Reboot();
    }

    private IEnumerable<Server> Servers => _consul is null ? [_nomad] : [_consul, _nomad];

    private BootstrapFacts Facts() => new(Minted > 0, _nomad.Facts(), _consul?.Facts(), _consulClient, _nomadClient, _nomadClient && _nomad.Led, _tracesGone);

    /// <returns>How many effects it had: none where it only waits, and no more than <paramref name="most"/>, after which the agent dies.</returns>
    private int Act(BootstrapStep step, int most)
    {
        switch (step)
        {
            case BootstrapStep.MintCluster: Minted++; return 1;
            case BootstrapStep.StartConsulBootstrap: _consul!.Start(); return 1;
            case BootstrapStep.StartNomadBootstrap: _nomad.Start(); return 1;
            case BootstrapStep.StartConsulClient: _consulClient = true; return 1;
            case BootstrapStep.StartNomadClient: _nomadClient = true; return 1;
            case BootstrapStep.RegisterConsulJob: _consul!.Registered = true; return 1;
            case BootstrapStep.RegisterNomadJob: _nomad.Registered = true; return 1;
            case BootstrapStep.RemoveConsulBootstrap: return Remove(_consul!, most);
            case BootstrapStep.RemoveNomadBootstrap: return Remove(_nomad, most);
            case BootstrapStep.RemoveTraces: _tracesGone = true; return 1;
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
    private sealed class Server
    {
        private bool _recorded;
        private bool _left;
        private bool _runs;
        private bool _jobRuns;

        public bool Registered { get; set; }
        public bool Leaving { get; set; }
        public bool Retired { get; set; }

        /// <summary>The raft configuration names the bootstrap server.</summary>
        public bool Member => _recorded && !_left;

        public bool JobVoter { get; private set; }

        /// <summary>A majority of the voters runs.</summary>
        public bool Led => (_runs && Member ? 1 : 0) + (_jobRuns && JobVoter ? 1 : 0) > ((Member ? 1 : 0) + (JobVoter ? 1 : 0)) / 2;

        public RoleFacts Facts() => new(_runs, Led, Registered && Led, JobVoter, Leaving, Retired);

        public void Start()
        {
            _runs = true;
            _recorded = true;
        }

        public void Leave() => (_left, _runs) = (true, false);

        /// <summary>Nomad places the job server and autopilot makes it a voter.</summary>
        public void Pass(bool clientRuns)
        {
            if (Registered && clientRuns) _jobRuns = true;
            if (_jobRuns && Led) JobVoter = true;
        }

        /// <summary>The agent starts again what is recorded, the job server among it.</summary>
        public void Reboot() => _runs = _recorded && !Leaving && !Retired;
    }
}
