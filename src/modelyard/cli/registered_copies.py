"""Copies of what a version was registered with, as files in a folder."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from modelyard.cli.calling import Call
from modelyard.cli.failure import CommandFailure
from modelyard.cli.output import Bar
from modelyard.registry.registered_files import UNSIGNED, WHOLE, NotSignable, RegisteredFile, registered_files, signable

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Copied:
    """What was copied."""

    model: Path
    """What a signature is over: the folder, or the one file in it."""
    files: int


def files_of(call: Call, arn: str, *, all_known: bool) -> list[RegisteredFile]:
    """The registered files of a version. Raises CommandFailure when there are none, or not all of them when all have to be."""
    found = call("modelyard", "DescribeIntegrity", ModelPackageArn=arn)
    records = [artifact for container in found["Containers"] for artifact in container["Artifacts"]]
    try:
        files = signable(records) if all_known else registered_files(records)
    except NotSignable as error:
        raise CommandFailure(f"{arn} cannot be signed: {error}") from None
    if not files:
        raise CommandFailure(f"The registry keeps no bytes of {arn}: `aws modelyard describe-integrity` says why.")
    return files


def copy(call: Call, arn: str, files: list[RegisteredFile], folder: Path, bar: Bar, signature: Document | None = None) -> Copied:
    """Write the files into a new folder, by the names that a signature has for them. Raises CommandFailure."""
    wanted = _by_signature(files, signature) if signature else {file.name: file for file in files}
    total, done = sum(file.size for file in wanted.values()), 0
    folder.mkdir(parents=True)
    for name, file in wanted.items():
        _write(call, arn, file, folder / name)
        done += file.size
        bar("registered bytes", done, total)
    whole = signature is not None and [one["Name"] for one in signature["Files"]] == [WHOLE]
    return Copied(folder / next(iter(wanted)) if whole else folder, len(wanted))


def _by_signature(files: list[RegisteredFile], signature: Document) -> dict[str, RegisteredFile]:
    by_digest = {file.sha256: file for file in files}
    wanted = {}
    for one in signature["Files"]:
        file = by_digest.get(one["Sha256"])
        if file is None:
            raise CommandFailure(f"{one['Name']} was signed, and what the version deploys now has no file of its SHA-256.")
        wanted[file.name if one["Name"] == WHOLE else one["Name"]] = file
    left_out = {file.name: file for file in files if file.name.split("/")[0] in UNSIGNED}
    return {**left_out, **wanted}


def _write(call: Call, arn: str, file: RegisteredFile, path: Path) -> None:
    answer = call("modelyard-runtime", "GetRegisteredArtifact", ModelPackageArn=arn, Location=file.location, Key=file.key)
    path.parent.mkdir(parents=True, exist_ok=True)
    seen = sha256()
    with path.open("xb") as target:
        for piece in answer["Body"]:
            seen.update(piece)
            target.write(piece)
    if file.sha256 is not None and seen.hexdigest() != file.sha256:
        raise CommandFailure(f"{file.uri} has the SHA-256 {seen.hexdigest()}, and was registered with {file.sha256}.")
