"""`modelyard versions`: sign, verify, export and attest what was registered."""

import shlex
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from modelyard.cli import attesting, signing
from modelyard.cli.calling import Call, as_root
from modelyard.cli.failure import CommandFailure
from modelyard.cli.options import DEFAULT_DATA, Account, Data, Output, Region, settings_of, version_arn
from modelyard.cli.output import Format, print_facts, print_rows, progress_bar, say
from modelyard.cli.registered_copies import Copied, copy, files_of
from modelyard.cli.signing import SigningKey
from modelyard.registry import dsse
from modelyard.registry.described_version import moment
from modelyard.registry.registered_files import RegisteredFile

app = typer.Typer(name="versions", help="Sign, verify, export and attest registered versions.", no_args_is_help=True)
attesting.add_to(app)

Version = Annotated[str, typer.Argument(metavar="VERSION", help="`group/3`, the name of an unversioned package, or an ARN.")]
PublicKey = Annotated[Path | None, typer.Option("--public-key", metavar="FILE", help="An EC public key, PEM.")]
Chain = Annotated[
    list[Path] | None, typer.Option("--certificate-chain", metavar="FILE", help="Certificates, PEM; may be given several times.")
]
SignatureId = Annotated[str | None, typer.Option("--signature", metavar="ID", help="One of `modelyard versions signatures`.")]
COLUMNS = {"SignatureId": "signature", "Put": "put", "CreatedBy": "by", "KeyFingerprint": "key", "Current": "current"}


@app.command("sign")
def sign(
    version: Version,
    key: Annotated[
        Path | None, typer.Option("--key", metavar="FILE", help="An EC private key (P-256, P-384, P-521), PEM.")
    ] = None,
    password_file: Annotated[
        Path | None, typer.Option("--password-file", metavar="FILE", help="Holds the password of the key, on its first line.")
    ] = None,
    certificate: Annotated[
        Path | None,
        typer.Option("--certificate", metavar="FILE", help="The certificate of the key, PEM; it goes into the signature."),
    ] = None,
    certificate_chain: Chain = None,
    bundle: Annotated[
        Path | None,
        typer.Option("--bundle", metavar="FILE", help="A signature that `model_signing sign` made; instead of --key."),
    ] = None,
    public_key: PublicKey = None,
    data: Data = DEFAULT_DATA,
    account: Account = None,
    region: Region = None,
    output: Output = Format.TABLE,
) -> None:
    """Sign the registered bytes of a version in the OpenSSF model-signing format, and keep the signature with it.

    The private key stays here. With --bundle, keep a signature that was made elsewhere, of a key that --public-key gives.
    """
    if (key is None) == (bundle is None):
        raise CommandFailure("Give --key FILE to sign, or --bundle FILE with a signature that was made elsewhere.")
    with as_root(settings_of(data), account, region) as call:
        arn = version_arn(version, call.region, call.account)
        if key is not None:
            given = {"PublicKey": _public_part(key, _password(password_file))}
            made = _signed(call, arn, SigningKey(key, _password(password_file), certificate, certificate_chain or ()))
        else:
            assert bundle is not None
            made, given = bundle.read_bytes(), {} if public_key is None else {"PublicKey": public_key.read_text(encoding="utf-8")}
        kept = call("modelyard", "PutVersionSignature", ModelPackageArn=arn, Bundle=made, **given)
    facts = {"version": arn, "signature": kept["SignatureId"], "key": kept["KeyFingerprint"], "files": len(kept["Files"])}
    print_facts(facts, output)


def _signed(call: Call, arn: str, key: SigningKey) -> bytes:
    """The signature over copies of the registered bytes."""
    with _copied(call, arn, files_of(call, arn, all_known=True), None) as (copied, place):
        signing.sign(copied.model, key, place / "model.sig")
        return (place / "model.sig").read_bytes()


@contextmanager
def _copied(call: Call, arn: str, files: Sequence[RegisteredFile], signature: Any) -> Iterator[tuple[Copied, Path]]:
    """Copies that are gone afterwards, and a folder for what goes with them."""
    with tempfile.TemporaryDirectory(prefix="modelyard-versions-") as name, progress_bar() as bar:
        place = Path(name)
        yield copy(call, arn, list(files), place / _model_name(arn), bar, signature), place


def _model_name(arn: str) -> str:
    """By what a signature calls the model: the group and the number."""
    return arn.rpartition(":model-package/")[2].replace("/", "-")


def _password(file: Path | None) -> bytes | None:
    return None if file is None else file.read_bytes().partition(b"\n")[0].rstrip(b"\r")


def _public_part(key: Path, password: bytes | None) -> str:
    try:
        return dsse.pem_of_public_part(key.read_bytes(), password)
    except dsse.NotAKey as error:
        raise CommandFailure(f"{key} cannot be used: {error}") from None


@app.command("signatures")
def signatures(
    version: Version, data: Data = DEFAULT_DATA, account: Account = None, region: Region = None, output: Output = Format.TABLE
) -> None:
    """List the signatures of a version: which key, who put them, when, and whether they hold for what it deploys now."""
    with as_root(settings_of(data), account, region) as call:
        arn = version_arn(version, call.region, call.account)
        found = call("modelyard", "ListVersionSignatures", ModelPackageArn=arn)["Signatures"]
    rows = [{"Put": moment(one["CreationTime"]), **one} for one in found]
    print_rows(found if output is Format.JSON else rows, COLUMNS, output)


@app.command("verify")
def verify(
    version: Version,
    public_key: PublicKey = None,
    certificate_chain: Chain = None,
    signature: SignatureId = None,
    data: Data = DEFAULT_DATA,
    account: Account = None,
    region: Region = None,
    output: Output = Format.TABLE,
) -> None:
    """Verify the registered bytes of a version against its signature: by a public key, or under certificates that you trust.

    Needs no network. Ends with 1 when no signature of that key holds.
    """
    if (public_key is None) == (not certificate_chain):
        raise CommandFailure("Give either --public-key FILE or --certificate-chain FILE: what you trust.")
    with as_root(settings_of(data), account, region) as call:
        arn = version_arn(version, call.region, call.account)
        kept = _signature(call, arn, signature, public_key)
        with _copied(call, arn, files_of(call, arn, all_known=True), kept) as (copied, place):
            (place / "model.sig").write_bytes(kept["Bundle"])
            signing.verify(copied.model, place / "model.sig", public_key=public_key, chain=certificate_chain or ())
    print_facts({"version": arn, "signature": kept["SignatureId"], "key": kept["KeyFingerprint"], "verified": "yes"}, output)


def _signature(call: Call, arn: str, wanted: str | None, public_key: Path | None) -> Any:
    """The signature that is asked for; of a key, its newest one that holds for what the version deploys now."""
    if wanted is None and public_key is not None:
        try:
            fingerprint = dsse.fingerprint(dsse.public_key(public_key.read_text(encoding="utf-8")))
        except (dsse.NotAKey, UnicodeDecodeError) as error:
            raise CommandFailure(f"{public_key} cannot be used: {error}") from None
        listed = call("modelyard", "ListVersionSignatures", ModelPackageArn=arn)["Signatures"]
        fitting = [one for one in listed if one["KeyFingerprint"] == fingerprint]
        if not fitting:
            raise CommandFailure(f"{arn} has no signature by the key {fingerprint}.")
        holding = [one for one in fitting if one["Current"]]
        if not holding:
            raise CommandFailure(f"What {arn} deploys was changed since the key {fingerprint} signed it.")
        wanted = holding[-1]["SignatureId"]
    return call("modelyard", "GetVersionSignature", ModelPackageArn=arn, **({} if wanted is None else {"SignatureId": wanted}))


@app.command("export")
def export(
    version: Version,
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="A new folder.")],
    signature: SignatureId = None,
    data: Data = DEFAULT_DATA,
    account: Account = None,
    region: Region = None,
) -> None:
    """Write the registered bytes of a version and its signature into a folder, for whoever has no Modelyard.

    Plain `model_signing verify` accepts them, without a network.
    """
    if to.exists():
        raise CommandFailure(f"{to} is there already: an export goes into a new folder.")
    with as_root(settings_of(data), account, region) as call, progress_bar() as bar:
        arn = version_arn(version, call.region, call.account)
        listed = call("modelyard", "ListVersionSignatures", ModelPackageArn=arn)["Signatures"]
        kept = None
        if signature is not None or any(one["Current"] for one in listed):
            kept = _signature(call, arn, signature, None)
        files = files_of(call, arn, all_known=kept is not None)
        copied = copy(call, arn, files, to / _model_name(arn), bar, kept)
    if kept is None:
        say(f"Files written: {copied.files}. {arn} has no signature over what it deploys now.")
        return
    (to / "model.sig").write_bytes(kept["Bundle"])
    (to / "public-key.pem").write_text(kept["PublicKey"], encoding="utf-8")
    how = (
        "certificate --certificate_chain ROOTS.pem"
        if "Certificate" in kept
        else f"key --public_key {_quoted(to / 'public-key.pem')}"
    )
    say(f"Files written: {copied.files}. To verify them, with a key that you have from its owner in place of this one:")
    print(f"model_signing verify {how} --signature {_quoted(to / 'model.sig')} {_quoted(copied.model)}")


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
