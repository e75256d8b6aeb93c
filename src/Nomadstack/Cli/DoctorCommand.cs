// SPDX-License-Identifier: MPL-2.0
using System.CommandLine;
using Nomadstack.Cli.Options;
using Nomadstack.Cli.Output;
using Nomadstack.Doctor;

namespace Nomadstack.Cli;

/// <summary><c>nomadstack doctor</c>: prints every check with what, why and fix. Works with or without a running agent.</summary>
internal sealed class DoctorCommand : Command
{
    public DoctorCommand(Surroundings here, GlobalOptions global)
        : base("doctor", "Check this machine and its agent and print what is wrong, why, and what to do; exit code 1 on a problem")
    {
        var bind = Setting.Address(here, "--bind", "IP", "The address that the agent would use");
        Options.Add(bind);
        var programs = new ProgramOptions(this, here, "-program", "that the agent would use");
        SetAction(async (parse, cancel) =>
        {
            var paths = global.Paths(parse);
            var facts = await DoctorFacts.ReadAsync(paths, new(parse.GetValue(bind), programs.Read(parse)), here.Time, cancel);
            var findings = Examination.Of(facts);
            var document = new DoctorDocument(1, paths.Data, findings.All(f => f.State != Finding.Fails), findings);
            if (parse.GetValue(global.Json)) Answer.Json(here, document, DoctorJson.Readable.DoctorDocument);
            else DoctorText.Write(here, document);
            return document.Healthy ? ExitCode.Done : ExitCode.Failed;
        });
    }
}
