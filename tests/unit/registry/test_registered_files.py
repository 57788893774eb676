"""What registered files are called, which signatures fit them, and that no bundle makes the server stumble."""

import json
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from modelyard.registry import dsse, signature_bundle
from modelyard.registry.registered_files import covers, is_safe, registered_files
from modelyard.registry.signature_bundle import NotASignature

pytestmark = pytest.mark.ours

KEY = ec.generate_private_key(ec.SECP256R1())
PEM = dsse.pem_of(KEY.public_key())


def records(*keys: str, bucket: str = "models") -> list[dict[str, Any]]:
    """A record of objects under these keys, each with bytes of its own."""
    objects = [
        {
            "Bucket": bucket,
            "Key": key,
            "Size": 1,
            "ETag": "e",
            "Sha256": sha256(f"{number} {key}".encode("utf-8", "replace")).hexdigest(),
        }
        for number, key in enumerate(keys)
    ]
    return [
        {
            "Location": "Containers[0].ModelDataUrl",
            "Kind": "Prefix",
            "Uri": "s3://models",
            "Status": "Verified",
            "Objects": objects,
        }
    ]


def names(*keys: str) -> list[str]:
    return [file.name for file in registered_files(records(*keys))]


@pytest.mark.parametrize(
    ("keys", "called"),
    [
        (["2026/11/model.tar.gz"], ["model.tar.gz"]),
        (["m/config.json", "m/weights/a", "m/weights/b"], ["config.json", "weights/a", "weights/b"]),
        (["a/model.tar.gz", "b/model.tar.gz"], ["a/model.tar.gz", "b/model.tar.gz"]),
        (["ab/x", "abc/y"], ["ab/x", "abc/y"]),
        ([], []),
    ],
)
def test_files_are_called_by_their_keys_below_the_common_folder(keys: list[str], called: list[str]) -> None:
    """One file has its plain name; a folder is what it was; two of the same name are told apart by their folders."""
    assert names(*keys) == called


@pytest.mark.parametrize("key", ["../x", "a/../../x", "a//x", "/x", "./x", "a\\..\\x", "c:x", "nul\0x", "line\nbreak", "x" * 300])
def test_names_that_no_folder_takes_are_replaced(key: str) -> None:
    """The file gets its digest before a harmless name; its neighbour keeps its own."""
    replaced, kept = sorted(names(key, "zz/plain"), key=lambda name: name.endswith("plain"))
    assert kept == "zz/plain" or kept.endswith("/plain")
    assert is_safe(replaced) and len(replaced) < 200


def test_a_file_that_is_a_folder_too_gives_way() -> None:
    """Where one key is the folder of another, and where two differ in case only, nothing is written over."""
    assert [len(name.split("-")[0]) == 32 for name in names("m/a", "m/a/b")] == [True, False]
    assert all(len(name.split("-")[0]) == 32 for name in names("m/A", "m/a"))


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40), unique=True, max_size=12))
def test_whatever_keys_are_called_files_stay_apart_and_inside(keys: list[str]) -> None:
    """Names are different in any case, lead nowhere else on any system, and none is a folder of another."""
    found = [name.lower() for name in names(*keys)]
    assert len(set(found)) == len(keys)
    for name in found:
        assert is_safe(name) and ".." not in PureWindowsPath(name).parts and not PurePosixPath(name).is_absolute()
        assert not any(other.startswith(f"{name}/") for other in found)


def test_the_longest_name_of_a_signature_is_matched_to_a_key() -> None:
    """A signer's folder may begin anywhere in the key, at a slash; and a single file may be all of the model."""
    files = registered_files(records("2026/11/model.tar.gz"))
    digest = files[0].sha256 or ""
    for name in ("model.tar.gz", "11/model.tar.gz", "2026/11/model.tar.gz", "."):
        assert covers([(name, digest)], files) is None
    for name in ("odel.tar.gz", "2025/model.tar.gz", ""):
        assert "no registered file is called so" in (covers([(name, digest)], files) or "")
    assert "is registered, and was not signed" in (covers([], files) or "")


def bundle(change: Callable[[dict[str, Any]], object] = lambda _: None) -> bytes:
    """A signature that is made as the format has it, over a statement that was changed before it was signed."""
    digest = sha256(b"a").hexdigest()
    statement = {
        "_type": signature_bundle.STATEMENT,
        "subject": [{"name": "model", "digest": {"sha256": sha256(bytes.fromhex(digest)).hexdigest()}}],
        "predicateType": signature_bundle.PREDICATE,
        "predicate": {
            "serialization": {"method": "files", "hash_type": "sha256", "allow_symlinks": False},
            "resources": [{"name": "a", "algorithm": "sha256", "digest": digest}],
        },
    }
    change(statement)
    document = {
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {"publicKey": {"hint": ""}, "tlogEntries": []},
        "dsseEnvelope": dsse.envelope(json.dumps(statement).encode(), KEY, ""),
    }
    return json.dumps(document).encode()


def test_a_signature_as_the_format_has_it_is_read() -> None:
    """The files below can be refused for what is wrong with them alone."""
    assert signature_bundle.verify(bundle(), PEM).files == (("a", sha256(b"a").hexdigest()),)


def named(name: str) -> Callable[[dict[str, Any]], object]:
    return lambda statement: statement["predicate"]["resources"][0].update(name=name)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda it: it.update(predicateType="https://slsa.dev/provenance/v1"), "no statement of the type"),
        (lambda it: it["subject"][0]["digest"].update(sha256="0" * 64), "not consistent"),
        (lambda it: it["predicate"]["resources"].append(it["predicate"]["resources"][0]), "not consistent"),
        (lambda it: it["predicate"]["resources"][0].update(algorithm="blake2b"), "whole files by SHA-256"),
        (lambda it: it["predicate"]["serialization"].update(method="shards"), "whole files by SHA-256"),
        (named("../a"), "leads out of its folder"),
        (named("/a"), "leads out of its folder"),
        (named(""), "leads out of its folder"),
    ],
)
def test_statements_that_cannot_be_used_are_refused_though_they_are_signed(
    change: Callable[[dict[str, Any]], object], sentence: str
) -> None:
    """A signature does not make a statement right."""
    with pytest.raises(NotASignature, match=sentence):
        signature_bundle.verify(bundle(change), PEM)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
PLACES = ("mediaType", "verificationMaterial", "dsseEnvelope", "payload", "payloadType", "signatures", "publicKey", "sig")


@given(st.sampled_from(PLACES), JSON)
def test_no_bundle_ends_in_anything_but_a_sentence(place: str, value: object) -> None:
    """Whatever stands anywhere in a bundle, it is refused as a bundle; it does not fail."""
    document = json.loads(bundle())
    for holder in (
        document,
        document["verificationMaterial"],
        document["dsseEnvelope"],
        document["dsseEnvelope"]["signatures"][0],
    ):
        if isinstance(holder, dict) and place in holder:
            before, holder[place] = holder[place], value
            if before != value and not (place == "publicKey" and isinstance(value, dict)):
                _refused(document)
            return


@given(st.sampled_from(("_type", "subject", "predicateType", "predicate", "serialization", "resources", "name", "digest")), JSON)
def test_no_statement_ends_in_anything_but_a_sentence(place: str, value: object) -> None:
    """The same for what was signed: any JSON may be, by whoever has a key."""

    def change(statement: dict[str, Any]) -> None:
        predicate = statement["predicate"]
        for holder in (statement, predicate, predicate["resources"][0]):
            if place in holder:
                holder[place] = value
                return

    document = json.loads(bundle(change))
    try:
        signature_bundle.verify(json.dumps(document).encode(), PEM)
    except NotASignature:
        return


def test_a_bundle_that_names_another_key_is_refused() -> None:
    """The library compares the hint with the key that it is given: so does the server."""
    document = json.loads(bundle())
    document["verificationMaterial"]["publicKey"]["hint"] = "0" * 64
    _refused(document)


def test_a_certificate_that_is_none_is_refused() -> None:
    """Bytes that are no certificate, and keys that are none, end in a sentence."""
    document = json.loads(bundle())
    for raw in ("", "AAAA", b64encode(b"\x30\x03\x02\x01\x01").decode(), 5):
        document["verificationMaterial"] = {"x509CertificateChain": {"certificates": [{"rawBytes": raw}]}}
        _refused(document)
    document["verificationMaterial"] = {"certificate": {"rawBytes": ""}}
    _refused(document)


def _refused(document: object) -> None:
    with pytest.raises(NotASignature):
        signature_bundle.verify(json.dumps(document).encode(), PEM)
