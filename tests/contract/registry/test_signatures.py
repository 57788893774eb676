"""Signatures of versions: taken when they hold and fit, kept as they are, and asked for by rules, on every database."""

import json
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from tests.contract.registry.governed import ALICE, BOB, Governed, refused, specification
from tests.contract.registry.signing import Signer, model
from tests.harness import user

pytestmark = pytest.mark.ours

BYTES = b"the weights of a model"
INVALID = "ValidationException"


def put(registry: Governed, arn: str, bundle: bytes, pem: str | None, by: Any = None) -> Any:
    key = {} if pem is None else {"PublicKey": pem}
    return registry.call("modelyard", "PutVersionSignature", by, ModelPackageArn=arn, Bundle=bundle, **key)


def listed(registry: Governed, arn: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = registry.call("modelyard", "ListVersionSignatures", ModelPackageArn=arn)["Signatures"]
    return found


@pytest.fixture
def signed(registry: Governed, tmp_path: Path) -> tuple[str, Signer]:
    """A version of one artifact, and a signer who has that file in a folder."""
    model(tmp_path, **{"model.tar.gz": BYTES})
    return registry.register_model(registry.put("2026/model.tar.gz", BYTES)), Signer(tmp_path)


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()], ids=lambda curve: curve.name)
def test_a_signature_of_the_library_is_taken(registry: Governed, tmp_path: Path, curve: ec.EllipticCurve) -> None:
    """What `model-signing` makes over the registered file is kept byte by byte, with who put it, when, and by which key."""
    model(tmp_path, **{"model.tar.gz": BYTES})
    signer = Signer(tmp_path, curve=curve)
    arn = registry.register_model(registry.put("2026/model.tar.gz", BYTES))
    bundle = signer.bundle()
    made = put(registry, arn, bundle, signer.pem, by=ALICE)
    (one,) = listed(registry, arn)
    assert one["SignatureId"] == made["SignatureId"] and one["CreatedBy"] == ALICE.arn and one["Current"] is True
    assert one["KeyFingerprint"] == made["KeyFingerprint"] and one["PublicKey"] == signer.pem
    got = registry.call("modelyard", "GetVersionSignature", ModelPackageArn=arn)
    assert got["Bundle"] == bundle and [file["Name"] for file in got["Files"]] == ["model.tar.gz"]


def test_the_same_signature_again_changes_nothing(registry: Governed, signed: tuple[str, Signer]) -> None:
    """Putting a bundle twice keeps it once, as it was first put."""
    arn, signer = signed
    bundle = signer.bundle()
    assert put(registry, arn, bundle, signer.pem, ALICE) == put(registry, arn, bundle, signer.pem, BOB)
    assert [one["CreatedBy"] for one in listed(registry, arn)] == [ALICE.arn]


def test_signatures_over_other_bytes_are_refused(registry: Governed, signed: tuple[str, Signer]) -> None:
    """One changed byte, a file too many, a file too few: each is refused with the file's name, and nothing is kept."""
    arn, signer = signed
    model(signer.folder, **{"model.tar.gz": b"tampered"})
    with refused(INVALID, "does not fit .*model.tar.gz was signed with the SHA-256"):
        put(registry, arn, signer.bundle(), signer.pem)
    model(signer.folder, **{"model.tar.gz": BYTES, "more.txt": b"more"})
    with refused(INVALID, "more.txt was signed, and no registered file is called so"):
        put(registry, arn, signer.bundle(), signer.pem)
    (signer.folder / "model" / "model.tar.gz").unlink()
    model(signer.folder, **{"more.txt": BYTES})
    with refused(INVALID, "more.txt was signed, and no registered file is called so"):
        put(registry, arn, signer.bundle(), signer.pem)
    assert listed(registry, arn) == []


def test_what_is_left_out_of_a_signature_is_missed(registry: Governed, tmp_path: Path) -> None:
    """Every registered file has to be signed, but for those of git, which `model_signing` leaves out by itself."""
    for key, body in {"m/a": b"a", "m/b": b"b", "m/.gitattributes": b"*"}.items():
        registry.put(key, body)
    source = {"S3Uri": f"s3://{registry.bucket}/m/", "S3DataType": "S3Prefix", "CompressionType": "None"}
    arn = registry.register(InferenceSpecification=specification({"ModelDataSource": {"S3DataSource": source}}))
    signer = Signer(tmp_path)
    model(tmp_path, a=b"a")
    with refused(INVALID, f"s3://{registry.bucket}/m/b is registered, and was not signed"):
        put(registry, arn, signer.bundle(), signer.pem)
    model(tmp_path, b=b"b")
    assert len(put(registry, arn, signer.bundle(), signer.pem)["Files"]) == 2


def test_forgeries_are_refused(registry: Governed, signed: tuple[str, Signer]) -> None:
    """Another key, a changed statement, a changed type, no key, a private key, an Ed25519 key: a sentence, and nothing kept."""
    arn, signer = signed
    bundle = signer.bundle()
    with refused(INVALID, "(was not signed with|another one than)"):
        put(registry, arn, bundle, Signer(signer.folder, "other").pem)
    document = json.loads(bundle)
    statement = json.loads(b64decode(document["dsseEnvelope"]["payload"]))
    statement["subject"][0]["name"] = "other"
    document["dsseEnvelope"]["payload"] = b64encode(json.dumps(statement).encode()).decode()
    with refused(INVALID, "was not signed with the key"):
        put(registry, arn, json.dumps(document).encode(), signer.pem)
    with refused(INVALID, "give it as PublicKey"):
        put(registry, arn, bundle, None)
    with refused(INVALID, "no public key in PEM"):
        put(registry, arn, bundle, signer.private.read_text())
    assert listed(registry, arn) == []


@pytest.mark.parametrize(
    "bundle", [b"{}", b"[]", b"no", b"\xff\xff", b'{"mediaType": 1}', b'{"mediaType": ["a"]}', b'"text"'], ids=repr
)
def test_what_is_no_bundle_is_refused(registry: Governed, signed: tuple[str, Signer], bundle: bytes) -> None:
    """Whatever is sent as a bundle, the answer is a sentence."""
    arn, signer = signed
    with refused(INVALID, "This signature is not taken"):
        put(registry, arn, bundle, signer.pem)


def test_a_version_whose_bytes_are_unknown_cannot_be_signed(registry: Governed, signed: tuple[str, Signer]) -> None:
    """Where the registry keeps nothing it vouches for nothing, and says why."""
    _, signer = signed
    arn = registry.register_model("s3://no-such-bucket-anywhere/model.tar.gz")
    with refused(INVALID, "cannot be signed: .*There is no bucket"):
        put(registry, arn, signer.bundle(), signer.pem)


def test_an_update_of_what_is_deployed_ends_a_signature(registry: Governed, signed: tuple[str, Signer]) -> None:
    """The signature stays, and is no longer current: it does not vouch for what the version is now."""
    arn, signer = signed
    bundle = signer.bundle()
    put(registry, arn, bundle, signer.pem)
    new = registry.put("new/model.tar.gz", b"new")
    registry.update(arn, InferenceSpecification=specification({"ModelDataUrl": new}))
    (one,) = listed(registry, arn)
    assert one["Current"] is False
    with refused("ResourceNotFound", "no signature over what it deploys now"):
        registry.call("modelyard", "GetVersionSignature", ModelPackageArn=arn)
    by_id = registry.call("modelyard", "GetVersionSignature", ModelPackageArn=arn, SignatureId=one["SignatureId"])
    assert by_id["Bundle"] == bundle
    with refused(INVALID, "does not fit"):
        put(registry, arn, bundle, signer.pem)


def test_rules_ask_for_a_signature(registry: Governed, signed: tuple[str, Signer]) -> None:
    """A group whose versions have to be signed refuses approval by name of the rule, until one of its keys has signed."""
    arn, signer = signed
    other = Signer(signer.folder, "other")
    strange = put(registry, arn, other.bundle(), other.pem)["KeyFingerprint"]
    unsigned = registry.register_model(registry.put("2026/model.tar.gz", BYTES))
    trusted = put(registry, unsigned, signer.bundle(), signer.pem)["KeyFingerprint"]
    registry.rules(SignedBy=[{"Name": "release-team", "KeyFingerprint": trusted}])
    with refused(INVALID, "The rule SignedBy of .* no signature by the key of release-team"):
        registry.approve(arn, ALICE)
    assert registry.approve(unsigned, ALICE) == "Approved"
    put(registry, arn, signer.bundle(), signer.pem)
    assert registry.approve(arn, ALICE) == "Approved"
    with refused(INVALID, "The rule SignedBy"):
        registry.register(ModelApprovalStatus="Approved", InferenceSpecification=specification({"ModelDataUrl": "s3://b/k"}))
    assert strange != trusted


def test_putting_a_signature_is_recorded(registry: Governed, signed: tuple[str, Signer]) -> None:
    """The audit trail tells who put which signature, taken or refused, without the bundle and the key."""
    arn, signer = signed
    bundle = signer.bundle()
    made = put(registry, arn, bundle, signer.pem, ALICE)
    with refused(INVALID, "no public key"):
        put(registry, arn, bundle, signer.private.read_text(), BOB)
    found = registry.call("modelyard", "LookupEvents", Operation="PutVersionSignature", ResourceArn=arn)["Events"]
    assert [(event["PrincipalArn"], event["Outcome"]) for event in found] == [(BOB.arn, INVALID), (ALICE.arn, "Success")]
    text = json.dumps(found)
    assert made["SignatureId"] in text and "BEGIN" not in text and bundle.decode() not in text


def test_signing_is_a_permission(registry: Governed, signed: tuple[str, Signer]) -> None:
    """Who may only read may not sign."""
    arn, signer = signed
    reads = (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["modelyard:Get*","modelyard:List*"],"Resource":"*"}]}'
    )
    with refused("AccessDeniedException", "modelyard:PutVersionSignature"):
        put(registry, arn, signer.bundle(), signer.pem, by=user("111122223333", "reads", reads))


def test_a_version_has_at_most_twenty_signatures(registry: Governed, signed: tuple[str, Signer]) -> None:
    """The twenty-first is refused."""
    arn, signer = signed
    for _ in range(20):
        put(registry, arn, signer.bundle(), signer.pem)
    with refused(INVALID, "has 20 signatures already"):
        put(registry, arn, signer.bundle(), signer.pem)
