"""`modelyard audit`: verify the audit trail, export it, sign how far it has come."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated

import typer

from modelyard.access.keyring import KeyRing
from modelyard.cli.copies import Progress
from modelyard.cli.failure import CommandFailure
from modelyard.cli.options import DEFAULT_DATA, Data, Output, settings_of
from modelyard.cli.output import Format, lines, print_facts, print_json, progress_bar, say
from modelyard.clock import SystemClock
from modelyard.events import store_audit
from modelyard.events.checkpoint import Checkpoint, NotACheckpoint, PublicKey, from_line
from modelyard.events.export import Export, export_lines, verify_lines
from modelyard.events.trail import AuditTrail
from modelyard.events.verification import Problem, Walked, step
from modelyard.server.composition import initialised, open_database
from modelyard.storage.interface import Storage

app = typer.Typer(name="audit", help="Verify and export the audit trail, and sign how far it has come.", no_args_is_help=True)

KnownCheckpoint = Annotated[
    Path | None,
    typer.Option("--checkpoint", metavar="FILE", help="A checkpoint that was kept elsewhere; the trail has to agree with it."),
]


@app.command("verify")
def verify(
    data: Data = DEFAULT_DATA,
    checkpoint: KnownCheckpoint = None,
    export: Annotated[
        Path | None, typer.Option("--export", metavar="FILE", help="Verify an export instead; needs --public-key, and no data.")
    ] = None,
    public_key: Annotated[
        Path | None, typer.Option("--public-key", metavar="FILE", help="What `modelyard audit public-key` printed.")
    ] = None,
    output: Output = Format.TABLE,
) -> None:
    """Read the whole audit trail again: a record that was changed, removed, added or reordered is found.

    Ends with 1 and names the first record that is wrong. The server may be running.
    """
    known = None if checkpoint is None else _read_checkpoint(checkpoint)
    if export is not None:
        _verify_export(export, public_key, known, output)
        return
    with _opened(data) as (storage, trail), progress_bar() as bar:
        walked = verify_trail(storage, trail, known, bar)
    facts: dict[str, object] = {"records": walked.sequence, "checkpoints": walked.checkpoints, "last_hash": walked.hash}
    _end(facts, walked.problem, output)


@app.command("export")
def export(
    data: Data = DEFAULT_DATA,
    to: Annotated[Path | None, typer.Option("--to", metavar="FILE", help="A new file; standard output without it.")] = None,
) -> None:
    """Write the audit trail as JSON lines: every record as it stands in the chain, and checkpoints, the last one for the end."""
    with _opened(data) as (storage, trail), progress_bar() as bar, _target(to) as target:
        with storage.read() as tx:
            head = store_audit.head(tx)
        for done, line in export_lines(storage, trail):
            target.write(line)
            target.write("\n")
            bar("records", done, head[0] if head else 0)


@app.command("checkpoint")
def checkpoint(data: Data = DEFAULT_DATA) -> None:
    """Sign how far the audit trail has come, and print that: keep it where nobody who can change the trail can change it."""
    with _opened(data) as (storage, trail):
        made = storage.write(trail.keep_checkpoint)
    if made is None:
        raise CommandFailure("The audit trail has no record yet.")
    print_json(made.line())


@app.command("public-key")
def public_key(data: Data = DEFAULT_DATA) -> None:
    """Print the key that checkpoints are checked with, as PEM."""
    settings = settings_of(data)
    trail = AuditTrail(KeyRing.open(settings.data), SystemClock())
    lines(trail.public_key.pem().splitlines())


@contextmanager
def _opened(data: Path) -> Iterator[tuple[Storage, AuditTrail]]:
    """The database of a data directory, and its audit trail."""
    settings = settings_of(data)
    if not initialised(settings.data):
        raise CommandFailure(f"{settings.data} is not a Modelyard data directory: there is no audit trail.")
    trail = AuditTrail(KeyRing.open(settings.data), SystemClock())
    storage = open_database(settings)
    try:
        yield storage, trail
    finally:
        storage.close()


def verify_trail(storage: Storage, trail: AuditTrail, known: Checkpoint | None, progress: Progress) -> Walked:
    """Walk the chain; each slice in a snapshot of its own, so that a long walk holds nothing up."""
    with storage.read() as tx:
        head = store_audit.head(tx)
    total = head[0] if head else 0
    walked = Walked()
    while not walked.finished and walked.problem is None:
        with storage.read() as tx:
            walked = step(tx, trail, walked, known=known)
        progress("audit records", min(walked.sequence, total), total)
    return walked


def _verify_export(path: Path, public_key: Path | None, known: Checkpoint | None, output: Format) -> None:
    if public_key is None:
        raise CommandFailure(
            "An export is verified with a key: give --public-key FILE, as `modelyard audit public-key` printed it."
        )
    try:
        key = PublicKey.from_pem(public_key.read_bytes())
    except ValueError as error:
        raise CommandFailure(f"{public_key} holds no Ed25519 public key.") from error
    with progress_bar() as bar, path.open("rb") as file:
        size = path.stat().st_size
        report, done = Export(known=known), 0
        for line in file:
            report = verify_lines(report, line, key)
            if report.problem is not None:
                break
            done += len(line)
            bar("bytes", done, size)
        report = report.ended(key)
    facts: dict[str, object] = {"records": report.records, "checkpoints": report.checkpoints, "signed_to": report.signed_to}
    if report.problem is None and report.signed_to < report.sequence:
        say(f"No checkpoint signs the records after {report.signed_to}: they fit together, but anybody may have written them.")
    _end(facts, report.problem, output)


def _end(facts: dict[str, object], problem: Problem | None, output: Format) -> None:
    found = None if problem is None else {"sequence": problem.sequence, "kind": problem.kind.value, "sentence": problem.sentence}
    if output is Format.JSON:
        facts = {**facts, "whole": problem is None, "problem": found}
    else:
        facts = {**facts, "whole": "yes" if problem is None else "no"}
    print_facts(facts, output)
    if problem is not None:
        raise CommandFailure(f"The audit trail is not whole: {problem.sentence}")


def _read_checkpoint(path: Path) -> Checkpoint:
    try:
        return from_line(json.loads(path.read_text(encoding="utf-8")))
    except (NotACheckpoint, ValueError) as error:
        raise CommandFailure(f"{path} holds no checkpoint, as `modelyard audit checkpoint` prints one.") from error


@contextmanager
def _target(to: Path | None) -> Iterator[IO[str]]:
    """Where an export goes."""
    if to is None:
        yield sys.stdout
        return
    try:
        file = to.open("x", encoding="utf-8")
    except FileExistsError:
        raise CommandFailure(f"{to} is there already: an export goes into a new file.") from None
    with file:
        yield file
