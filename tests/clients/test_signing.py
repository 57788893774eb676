"""`modelyard versions`: signed, exported, and verified by the `model_signing` command of somebody without Modelyard."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey
from tests.contract.registry.governed import specification
from tests.contract.registry.signing import Signer
from tests.running import MODELYARD, RunningYard, both_databases

pytestmark = [pytest.mark.slow, pytest.mark.ours]

NOWHERE = dict.fromkeys(("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"), "http://127.0.0.1:9")
"""Whoever asks the network finds none."""


class Registered:
    """Versions in a group of their own."""

    def __init__(self, yard: RunningYard) -> None:
        self.yard, self.name = yard, f"signed-{uuid4().hex[:8]}"
        self.s3, self.registry = yard.client("s3"), yard.client("sagemaker")
        self.s3.create_bucket(Bucket=self.name)
        self.registry.create_model_package_group(ModelPackageGroupName=self.name)

    def put(self, key: str, body: bytes) -> str:
        self.s3.put_object(Bucket=self.name, Key=key, Body=body)
        return f"s3://{self.name}/{key}"

    def register(self, *containers: dict[str, object]) -> str:
        made = self.registry.create_model_package(
            ModelPackageGroupName=self.name, InferenceSpecification=specification(*containers)
        )
        return str(made["ModelPackageArn"])

    def folder(self, **files: bytes) -> str:
        """A version of all that is below a prefix."""
        for name, body in files.items():
            self.put(f"m/{name}", body)
        source = {"S3Uri": f"s3://{self.name}/m/", "S3DataType": "S3Prefix", "CompressionType": "None"}
        return self.register({"ModelDataSource": {"S3DataSource": source}})

    def refused(self, *arguments: object) -> str:
        """What a command says that fails."""
        command = [*MODELYARD, *map(str, arguments), "--data", str(self.yard.data)]
        done = subprocess.run(command, env=self.yard._environment(), capture_output=True, text=True, check=False)
        assert done.returncode == 1 and "Traceback" not in done.stderr, done.stdout + done.stderr
        return done.stderr


@pytest.fixture
def registered(yard: RunningYard) -> Registered:
    return Registered(yard)


def model_signing(*arguments: object) -> subprocess.CompletedProcess[str]:
    """The command of the library, without Modelyard's environment and without a network."""
    command = [sys.executable, "-m", "model_signing", *map(str, arguments)]
    environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **NOWHERE}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


def verified(folder: Path, model: Path, key: Path) -> bool:
    """Whether the library takes an export."""
    done = model_signing("verify", "key", "--public_key", key, "--signature", folder / "model.sig", model)
    assert done.returncode in (0, 1)
    return done.returncode == 0


@both_databases
def test_a_signed_version_is_verified_by_others(registered: Registered, tmp_path: Path) -> None:
    """Signed, verified here, exported; the library takes the export with the key, not with another, nor once tampered with."""
    arn = registered.register({"ModelDataUrl": registered.put("2026/model.tar.gz", b"weights")})
    signer, other = Signer(tmp_path), Signer(tmp_path, "other")
    run = registered.yard.modelyard
    run("versions", "sign", arn, "--key", str(signer.private))
    assert "verified" in run("versions", "verify", f"{registered.name}/1", "--public-key", str(signer.public))
    assert "no signature by the key" in registered.refused("versions", "verify", arn, "--public-key", other.public)
    registered.s3.delete_object(Bucket=registered.name, Key="2026/model.tar.gz")
    out = tmp_path / "out"
    run("versions", "export", arn, "--to", str(out))
    file = out / f"{registered.name}-1" / "model.tar.gz"
    assert file.read_bytes() == b"weights"
    assert verified(out, file.parent, signer.public) and not verified(out, file.parent, other.public)
    file.write_bytes(b"tampered")
    assert not verified(out, file.parent, signer.public)
    assert "is there already" in registered.refused("versions", "export", arn, "--to", out)


def test_a_folder_stays_a_folder(registered: Registered, tmp_path: Path) -> None:
    """Everything below a prefix is exported as it lay there, files of git too, and what is signed of it verifies."""
    files = {
        "config.json": b"{}",
        "weights/a.bin": b"a",
        "weights/b.bin": b"b",
        ".gitattributes": b"*",
        "name with blanks ü": b"n",
    }
    arn = registered.folder(**files)
    signer = Signer(tmp_path)
    registered.yard.modelyard("versions", "sign", arn, "--key", str(signer.private))
    out = tmp_path / "out"
    registered.yard.modelyard("versions", "export", arn, "--to", str(out))
    model = out / f"{registered.name}-1"
    assert {str(path.relative_to(model)): path.read_bytes() for path in model.rglob("*") if path.is_file()} == files
    assert verified(out, model, signer.public)
    (model / "weights" / "c.bin").write_bytes(b"slipped in")
    assert not verified(out, model, signer.public)


def test_keys_that_lead_elsewhere_stay_in_the_folder(registered: Registered, tmp_path: Path) -> None:
    """Keys that no folder can hold as they are get harmless names, and the export verifies."""
    arn = registered.register(
        {"ModelDataUrl": registered.put("../../escaped", b"1")},
        {"ModelDataUrl": registered.put("a", b"2")},
        {"ModelDataUrl": registered.put("a/b", b"3")},
    )
    signer, out = Signer(tmp_path), tmp_path / "deep" / "deeper" / "out"
    out.parent.mkdir(parents=True)
    registered.yard.modelyard("versions", "sign", arn, "--key", str(signer.private))
    registered.yard.modelyard("versions", "export", arn, "--to", str(out))
    model = out / f"{registered.name}-1"
    assert sorted(path.read_bytes() for path in model.rglob("*") if path.is_file()) == [b"1", b"2", b"3"]
    assert not list(tmp_path.rglob("escaped")) and verified(out, model, signer.public)


def test_a_signature_made_elsewhere(registered: Registered, tmp_path: Path) -> None:
    """What somebody exported and signed with the library is put, over a folder and over a single file, and verifies here."""
    arn = registered.register({"ModelDataUrl": registered.put("model.tar.gz", b"weights")})
    signer, out = Signer(tmp_path), tmp_path / "out"
    run = registered.yard.modelyard
    run("versions", "export", arn, "--to", str(out))
    assert not (out / "model.sig").exists()
    for model in (out / f"{registered.name}-1", out / f"{registered.name}-1" / "model.tar.gz"):
        bundle = tmp_path / f"{model.name}.sig"
        assert model_signing("sign", "key", "--private_key", signer.private, "--signature", bundle, model).returncode == 0
        run("versions", "sign", arn, "--bundle", str(bundle), "--public-key", str(signer.public))
        run("versions", "verify", arn, "--public-key", str(signer.public))
    again = tmp_path / "again"
    run("versions", "export", arn, "--to", str(again))
    assert verified(again, again / f"{registered.name}-1" / "model.tar.gz", signer.public)
    listed = json.loads(run("versions", "signatures", arn, "--output", "json"))
    assert len(listed) == 2 and all(one["Current"] for one in listed)


def test_a_key_with_a_certificate(registered: Registered, tmp_path: Path) -> None:
    """A signature that carries a certificate verifies under the root that issued it, and not under another one."""
    arn = registered.register({"ModelDataUrl": registered.put("model.tar.gz", b"weights")})
    signer = Signer(tmp_path)
    certificate, root, other = certified(signer, tmp_path)
    run = registered.yard.modelyard
    run(
        "versions", "sign", arn, "--key", str(signer.private), "--certificate", str(certificate), "--certificate-chain", str(root)
    )
    run("versions", "verify", arn, "--certificate-chain", str(root))
    assert "does not hold" in registered.refused("versions", "verify", arn, "--certificate-chain", other)
    out = tmp_path / "out"
    run("versions", "export", arn, "--to", str(out))
    arguments = ["--certificate_chain", root, "--signature", out / "model.sig", out / f"{registered.name}-1"]
    assert model_signing("verify", "certificate", *arguments).returncode == 0
    (one,) = json.loads(run("versions", "signatures", arn, "--output", "json"))
    assert one["Certificate"] == "CN=release team"


def certified(signer: Signer, folder: Path) -> tuple[Path, Path, Path]:
    """A certificate for a key, the root that issued it, and another root."""
    roots = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    key = load_pem_private_key(signer.private.read_bytes(), None)
    made = [
        certificate("root", "root", roots[0].public_key(), roots[0]),
        certificate("root", "root", roots[1].public_key(), roots[1]),
        certificate("release team", "root", key.public_key(), roots[0]),
    ]
    paths = [folder / name for name in ("root.pem", "other-root.pem", "certificate.pem")]
    for path, one in zip(paths, made, strict=True):
        path.write_bytes(one.public_bytes(Encoding.PEM))
    return paths[2], paths[0], paths[1]


def certificate(name: str, issuer: str, key: object, by: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    own = issuer == name
    usage = x509.KeyUsage(not own, False, False, False, False, own, own, False, False)
    named = [x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)]) for text in (name, issuer)]
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(named[1], named[0], key, x509.random_serial_number())  # type: ignore[arg-type]
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=30))
    builder = builder.add_extension(usage, critical=True).add_extension(x509.BasicConstraints(own, None), critical=True)
    return builder.sign(by, hashes.SHA256())


def test_keys_that_cannot_sign_are_told_so(registered: Registered, tmp_path: Path) -> None:
    """A public key, an Ed25519 key, a locked key, no key: a sentence each; a locked key signs with its password."""
    arn = registered.register({"ModelDataUrl": registered.put("model.tar.gz", b"weights")})
    signer = Signer(tmp_path)
    key = load_pem_private_key(signer.private.read_bytes(), None)
    locked, edwards, password = tmp_path / "locked.pem", tmp_path / "ed25519.pem", tmp_path / "password"
    locked.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"correct horse")))
    edwards.write_bytes(ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    password.write_text("correct horse\n")
    sign = ("versions", "sign", arn)
    assert "no private key in PEM" in registered.refused(*sign, "--key", signer.public)
    assert "EC keys only" in registered.refused(*sign, "--key", edwards)
    assert "needs a password" in registered.refused(*sign, "--key", locked)
    assert "No such file" in registered.refused(*sign, "--key", tmp_path / "none")
    assert "Give --key" in registered.refused(*sign)
    registered.yard.modelyard(*sign, "--key", str(locked), "--password-file", str(password))


def test_without_the_library_a_sentence_says_what_to_install(registered: Registered, tmp_path: Path) -> None:
    """Where `model-signing` is not installed, signing says how to install it."""
    arn = registered.register({"ModelDataUrl": registered.put("model.tar.gz", b"weights")})
    code = "import sys; sys.modules['model_signing'] = None; from modelyard.cli.main import main; main()"
    arguments = ["versions", "sign", arn, "--key", str(Signer(tmp_path).private), "--data", str(registered.yard.data)]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], env=registered.yard._environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 1 and "pip install 'modelyard[signing]'" in done.stderr and "Traceback" not in done.stderr


@both_databases
def test_attestations_from_the_command_line(registered: Registered, tmp_path: Path) -> None:
    """Provenance is signed by the yard or by a key at hand, for the library of DSSE; the bill fits the schema of CycloneDX."""
    arn = registered.register({"ModelDataUrl": registered.put("model.tar.gz", b"weights")})
    run, envelope, public = registered.yard.modelyard, tmp_path / "envelope.json", tmp_path / "public.pem"
    statement = json.loads(run("versions", "provenance", arn))
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
    run("versions", "provenance", arn, "--signed", "--public-key-to", str(public), "--to", str(envelope))
    assert attested(envelope, public) == statement
    signer = Signer(tmp_path)
    (tmp_path / "own.json").write_text(run("versions", "provenance", arn, "--key", str(signer.private)))
    assert attested(tmp_path / "own.json", signer.public) == statement
    assert "is there already" in registered.refused("versions", "provenance", arn, "--to", envelope)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(run("versions", "bom", arn)) is None


def attested(envelope: Path, public: Path) -> object:
    """What an envelope holds, once its signature was verified with a key."""
    document = json.loads(envelope.read_text())
    key = SSlibKey.from_crypto(load_pem_public_key(public.read_bytes()), keyid=document["signatures"][0]["keyid"])
    read = Envelope.from_dict(document)
    read.verify([key], 1)
    return json.loads(read.payload)
