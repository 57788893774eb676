"""`modelyard groups setup | verify | cleanup`: the groups and roles that a configuration asks for."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from modelyard.aws.errors import AwsError
from modelyard.cli.asking import Endpoint, asking
from modelyard.cli.calling import Call
from modelyard.cli.failure import CommandFailure
from modelyard.cli.options import DEFAULT_DATA, Account, Data, Output, Region
from modelyard.cli.output import Format, print_json, print_rows, progress_bar, say
from modelyard.cli.runbook.configuration import ENABLE, Configuration, configuration, read_file
from modelyard.cli.runbook.finding import Finding
from modelyard.cli.runbook.inspection import inspect
from modelyard.cli.runbook.removal import Removal, removal, remove

Config = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="A file of KEY=value lines; the environment's variables without it."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]


@dataclass(frozen=True, slots=True)
class Done:
    """A finding, and what became of it."""

    finding: Finding
    repaired: bool
    failure: str = ""

    def row(self) -> dict[str, object]:
        """What is printed of it."""
        said = {"group": self.finding.group, "kind": self.finding.kind.value, "resource": self.finding.resource}
        return {**said, "message": self.failure or self.finding.sentence, "repaired": self.repaired}


def add_to(app: typer.Typer) -> None:
    """Add the commands to `modelyard groups`."""
    app.command("setup")(setup)
    app.command("verify")(verify)
    app.command("cleanup")(cleanup)


def setup(
    context: typer.Context,
    config: Config = None,
    dry_run: DryRun = False,
    adopt: Annotated[bool, typer.Option("--adopt", help="Take over groups and roles of these names that others made.")] = False,
    prune: Annotated[bool, typer.Option("--prune", help="Take away policies that others gave the roles.")] = False,
    data: Data = DEFAULT_DATA,
    account: Account = None,
    region: Region = None,
    endpoint: Endpoint = None,
    output: Output = Format.TABLE,
) -> None:
    """Make the groups and roles that TEAMS and {TEAM}_PROJECTS ask for, and put right what is not as it should be."""
    wanted = _read(config)
    if not wanted.enabled:
        return
    with asking(context, data, account, region, endpoint) as call:
        findings = _inspected(call, wanted, adopt=adopt, prune=prune)
        done = [Done(finding, False) for finding in findings] if dry_run else _repaired(call, findings)
        _print_findings(call, wanted, done, output, dry_run=dry_run)
    left = [one for one in done if not (one.repaired or (dry_run and one.finding.remedy))]
    if left:
        raise CommandFailure(f"Not put right: {' '.join(one.failure or one.finding.sentence for one in left)}")
    if not done:
        say(f"All {len(wanted.groups)} groups are as they should be.")


def verify(
    context: typer.Context,
    config: Config = None,
    data: Data = DEFAULT_DATA,
    account: Account = None,
    region: Region = None,
    endpoint: Endpoint = None,
    output: Output = Format.TABLE,
) -> None:
    """Compare groups and roles with what TEAMS and {TEAM}_PROJECTS ask for. Ends with 1 when something is not as it should be."""
    wanted = _read(config)
    if not wanted.enabled:
        return
    with asking(context, data, account, region, endpoint) as call:
        findings = _inspected(call, wanted)
        _print_findings(call, wanted, [Done(finding, False) for finding in findings], output, dry_run=True)
    if findings:
        groups = len({finding.group for finding in findings})
        raise CommandFailure(f"{groups} of {len(wanted.groups)} groups are not as they should be.")
    say(f"All {len(wanted.groups)} groups are as they should be.")


def cleanup(
    context: typer.Context,
    config: Config = None,
    dry_run: DryRun = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; for scripts.")] = False,
    approved: Annotated[bool, typer.Option("--approved", help="Also groups that hold approved versions.")] = False,
    data: Data = DEFAULT_DATA,
    account: Account = None,
    region: Region = None,
    endpoint: Endpoint = None,
    output: Output = Format.TABLE,
) -> None:
    """Remove the groups, with all their versions, and the roles that `setup` made for this configuration, and nothing else."""
    wanted = _read(config)
    if not wanted.enabled:
        return
    with asking(context, data, account, region, endpoint) as call:
        planned = [one for one in _each(wanted, "looking", lambda group: removal(call, group)) if one.stays or not one.is_nothing]
        kept = [] if approved else [one for one in planned if one.approved]
        going = [one for one in planned if one not in kept and not one.is_nothing]
        _announce(call, planned, kept)
        if going and not dry_run:
            if not yes:
                typer.confirm(f"Remove this from account {call.account}, {call.region}?", abort=True, err=True)
            with progress_bar() as bar:
                for one in going:
                    remove(call, one, bar)
        if output is Format.JSON:
            print_json(_removals(call, going, kept, planned, dry_run=dry_run))
    if kept:
        names = ", ".join(one.wanted.name for one in kept)
        raise CommandFailure(f"Left as they are, since they hold approved versions: {names}. With --approved they go, too.")
    if not going:
        say("There is nothing to remove.")


def _read(config: Path | None) -> Configuration:
    """The configuration; says why when there is nothing to do."""
    variables = os.environ if config is None else read_file(config)
    found = configuration(variables, whole=config is not None)
    for remark in found.remarks:
        say(remark)
    if not found.enabled:
        say(f"{ENABLE} is false: nothing was done.")
    return found


def _each(wanted: Configuration, stage: str, look: Callable[[Any], Any]) -> list[Any]:
    found = []
    with progress_bar() as bar:
        for done, group in enumerate(wanted.groups):
            bar(stage, done, len(wanted.groups))
            found.append(look(group))
    return found


def _inspected(call: Call, wanted: Configuration, *, adopt: bool = False, prune: bool = False) -> list[Finding]:
    found = _each(wanted, "looking", lambda group: inspect(call, group, adopt=adopt, prune=prune))
    return [finding for findings in found for finding in findings]


def _repaired(call: Call, findings: Sequence[Finding]) -> list[Done]:
    """Put right what can be; a refusal holds up nothing else."""
    done = []
    with progress_bar() as bar:
        for number, finding in enumerate(findings):
            bar("putting right", number, len(findings))
            done.append(_repair(call, finding))
    return done


def _repair(call: Call, finding: Finding) -> Done:
    try:
        for step in finding.remedy:
            step.take(call)
    except AwsError as error:
        return Done(finding, False, f"{finding.sentence} {error.message}")
    return Done(finding, bool(finding.remedy))


def _print_findings(call: Call, wanted: Configuration, done: Sequence[Done], output: Format, *, dry_run: bool) -> None:
    rows = [one.row() for one in done]
    if output is Format.JSON:
        about = {"account": call.account, "region": call.region, "principal": call.arn, "dry_run": dry_run}
        print_json({**about, "groups": [group.name for group in wanted.groups], "findings": rows})
        return
    say(f"In account {call.account}, {call.region}, as {call.arn}:")
    if rows:
        columns = {"kind": "what", "message": "found", "repaired": "put right"}
        print_rows([{**row, "repaired": "yes" if row["repaired"] else "no"} for row in rows], columns, output)


def _announce(call: Call, planned: Sequence[Removal], kept: Sequence[Removal]) -> None:
    """Say what goes and what stays."""
    say(f"In account {call.account}, {call.region}, as {call.arn}:")
    for one in planned:
        for sentence in one.stays:
            say(f"  {sentence}")
        word = "stays" if one in kept else "goes"
        if one.group is not None:
            count = "1 version" if len(one.versions) == 1 else f"{len(one.versions)} versions"
            say(f"  The group {one.wanted.name} {word}, with {count}.")
            for version in one.approved:
                say(f"    approved: {version}")
        if one.role is not None:
            whole = one.role_steps[-1].operation == "DeleteRole"
            say(f"  The role {one.wanted.role} {word}." if whole else f"  Its policy for {call.region} {word}.")


def _removals(
    call: Call, going: Sequence[Removal], kept: Sequence[Removal], planned: Sequence[Removal], *, dry_run: bool
) -> dict[str, object]:
    def shown(one: Removal) -> dict[str, object]:
        versions: dict[str, object] = {"versions": list(one.versions), "approved": list(one.approved)}
        return {"group": one.wanted.name, "group_arn": one.group, "role_arn": one.role, **versions}

    return {
        "account": call.account,
        "region": call.region,
        "principal": call.arn,
        "dry_run": dry_run,
        "removed": [shown(one) for one in going],
        "kept": [shown(one) for one in kept],
        "remarks": [sentence for one in planned for sentence in one.stays],
    }
