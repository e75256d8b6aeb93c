// SPDX-License-Identifier: MPL-2.0
using Microsoft.Extensions.Logging.Abstractions;
using Nomadstack.Cluster;
using Nomadstack.Node;
using Nomadstack.Peers;
using Nomadstack.Products;
using Nomadstack.Programs;
using Nomadstack.Storage;
using Nomadstack.Tests.Products;

namespace Nomadstack.Tests.Node;

/// <summary>A node's data folder and a folder that is its PATH, where a package manager puts programs.</summary>
internal sealed class ProgramRoom : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly string _path;

    public ProgramRoom()
    {
        _path = _folder.Sub("path");
        Paths = new(_folder.Sub("data"));
        File = new() { Id = Guid.NewGuid().ToString(), Name = "n1", Address = "127.0.0.1" };
    }

    public NodePaths Paths { get; }

    public NodeFile File { get; }

    public OwnPrograms Own => new(Paths);

    public static Product Nomad => Role.Row(Role.Nomad);

    public string Installed => Path.Combine(_path, "nomad");

    /// <summary>As a package manager does: another file under the name.</summary>
    public void Install(string version, string? at = null) => Write(version, at ?? Installed, inPlace: false);

    /// <summary>As a careless copy does: into the same file.</summary>
    public void Overwrite(string version) => Write(version, Installed, inPlace: true);

    public void MakeMember()
    {
        using var pki = Pki.Mint(Paths, Guid.NewGuid().ToString(), File, TimeProvider.System);
        var self = new NodeEntry { Id = File.Id, Name = "n1", Address = File.Address, Ports = File.Ports, KeyPin = pki.KeyPin, Version = "0.1.0" };
        Membership().Create(new ClusterDocument { ClusterId = pki.ClusterId, CreatedAt = DateTimeOffset.UtcNow, CaPin = pki.CaPin, Nodes = new Dictionary<string, NodeEntry> { [self.Id] = self } });
    }

    /// <summary>What an agent that starts now runs.</summary>
    public async Task<ProgramFinding> BootAsync(string? named = null)
    {
        var (probe, context) = (Probe(), Context());
        var keeping = new ProgramKeeping(context, probe, Own, bundle: null);
        if (await keeping.SettledAsync(Nomad, named, default) is { } settled) return settled;
        var path = named ?? probe.Find(Nomad);
        var stamp = path is null ? null : ProgramStamp.Of(path);
        return await probe.ProbeAsync(Nomad, path, null, null, default) is ProgramFinding.Found { Program: var found } ? new ProgramFinding.Found(keeping.Keep(Nomad, found, stamp!, named)) : throw new InvalidOperationException("there is none");
    }

    public async Task<ProductProgram> RunsAsync(string? named = null) => (await BootAsync(named)).OrThrow();

    public async Task<(ProgramOffers Offers, NodePrograms Programs)> OffersAsync(string? named = null)
    {
        var programs = new NodePrograms(Paths, ProductTable.Known, new Dictionary<string, IReadOnlyList<ProductProgram>> { [Role.Nomad] = [await RunsAsync(named)] }, () => Role.Nomad);
        var options = new AgentOptions(Paths.Data, null, null, 1, AgentOptions.AnyEngine, [], null, null, named is null ? new Dictionary<string, string>() : new Dictionary<string, string> { [Role.Nomad] = named }, new Dictionary<string, int>());
        return (new ProgramOffers(Context(), options, programs, Probe(), Own), programs);
    }

    /// <summary>What the program itself says.</summary>
    public static string Says(string program) => System.IO.File.ReadAllText(program);

    public void Dispose() => _folder.Dispose();

    private ProgramProbe Probe() => new(TimeProvider.System, new KnownPrograms(Paths), product => InstalledPrograms.Folders(Paths, product, null)) { SearchPath = _path };

    private NodeContext Context()
    {
        var membership = Membership();
        membership.Load();
        return new(File, Paths, membership, ProductTable.Known, TimeProvider.System, NullLoggerFactory.Instance);
    }

    private Membership Membership() => new(Paths, File, TimeProvider.System);

    private static void Write(string version, string at, bool inPlace)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(at)!);
        if (!inPlace) System.IO.File.Delete(at);
        System.IO.File.WriteAllText(at, $"#!/bin/sh\necho 'Nomad v{version}'\n");
        System.IO.File.SetUnixFileMode(at, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }
}
