"""`modelyard versions provenance` and `bom`: what a version is and was made from, for programs of others."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Annotated

import typer
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from modelyard.cli.calling import as_root
from modelyard.cli.failure import CommandFailure
from modelyard.cli.options import DEFAULT_DATA, Account, Data, Region, settings_of, version_arn
from modelyard.cli.output import print_json, say
from modelyard.registry import dsse

Version = Annotated[str, typer.Argument(metavar="VERSION", help="`group/3`, the name of an unversioned package, or an ARN.")]
To = Annotated[Path | None, typer.Option("--to", metavar="FILE", help="A new file; standard output without it.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands to `modelyard versions`."""
    app.command("provenance")(provenance)
    app.command("bom")(bom)


def provenance(
    version: Version,
    signed: Annotated[
        bool, typer.Option("--signed", help="A DSSE envelope, signed with the attestation key of this yard.")
    ] = False,
    key: Annotated[
        Path | None, typer.Option("--key", metavar="FILE", help="A DSSE envelope, signed with this key: Ed25519 or EC, PEM.")
    ] = None,
    public_key_to: Annotated[
        Path | None, typer.Option("--public-key-to", metavar="FILE", help="Write the public key of --signed there, as PEM.")
    ] = None,
    to: To = None,
    data: Data = DEFAULT_DATA,
    account: Account = None,
    region: Region = None,
) -> None:
    """Print the provenance of a version: an in-toto statement with a SLSA v1 predicate, also in a signed envelope."""
    if signed and key is not None:
        raise CommandFailure("Either --signed or --key, not both.")
    if public_key_to is not None and not signed:
        raise CommandFailure("--public-key-to goes with --signed.")
    with as_root(settings_of(data), account, region) as call:
        arn = version_arn(version, call.region, call.account)
        found = call("modelyard", "GetVersionProvenance", ModelPackageArn=arn, Signed=signed)
    if public_key_to is not None:
        public_key_to.write_text(found["PublicKey"], encoding="utf-8")
    if key is not None:
        _write(json.dumps(_enveloped(found["Statement"], key)), to)
    else:
        _write(found["Envelope" if signed else "Statement"], to)


def _enveloped(statement: str, path: Path) -> dict[str, object]:
    try:
        key = dsse.private_key(path.read_bytes(), None)
    except dsse.NotAKey as error:
        raise CommandFailure(f"{path} cannot be used: {error}") from None
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return dsse.envelope(statement.encode(), key, sha256(public).hexdigest())


def bom(version: Version, to: To = None, data: Data = DEFAULT_DATA, account: Account = None, region: Region = None) -> None:
    """Print the bill of materials of a version: a CycloneDX ML-BOM."""
    with as_root(settings_of(data), account, region) as call:
        arn = version_arn(version, call.region, call.account)
        found = call("modelyard", "GetVersionBillOfMaterials", ModelPackageArn=arn)
    _write(found["BillOfMaterials"], to)


def _write(text: str, to: Path | None) -> None:
    """An envelope is signed byte by byte inside, so its white space may change."""
    if to is None:
        print_json(json.loads(text))
        return
    try:
        with to.open("x", encoding="utf-8") as file:
            file.write(f"{text}\n")
    except FileExistsError:
        raise CommandFailure(f"{to} is there already.") from None
    say(f"Written to {to}.")
