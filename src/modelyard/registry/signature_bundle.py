"""Signatures in the OpenSSF model-signing format 1: a Sigstore bundle, in it a DSSE envelope, in it an in-toto statement.

It is read and checked here without the library `model-signing`, so that a server needs none of its thirty packages; that library
makes and verifies signatures on the side of the client, and the tests compare both.
Sources: https://github.com/sigstore/model-transparency, its specification of the signature; Sigstore's bundle format.
"""

import base64
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import orjson
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from modelyard.registry import dsse
from modelyard.registry.dsse import NotAKey
from modelyard.registry.registered_files import WHOLE, is_safe

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://model_signing/signature/v1.0"
MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"


class NotASignature(Exception):
    """A bundle that is none, or that does not hold; the text is for the client."""


@dataclass(frozen=True, slots=True)
class Verified:
    """A signature that was made with its key."""

    key: EllipticCurvePublicKey
    certificate: str | None
    """The subject of the certificate that came with it."""
    files: tuple[tuple[str, str], ...]
    """Names and SHA-256s of what was signed."""


def verify(bundle: bytes, public_key: str | None) -> Verified:
    """What a bundle says, when it was signed with the key: the one given, or that of its certificate. Raises NotASignature."""
    try:
        document = orjson.loads(bundle)
        return _verify(document, public_key)
    except NotAKey as error:
        raise NotASignature(str(error)) from None
    except (KeyError, TypeError, IndexError, AttributeError, ValueError, UnsupportedAlgorithm) as error:
        raise NotASignature("This is no bundle as `model_signing sign key` or `sign certificate` writes it.") from error


def _verify(document: Any, public_key: str | None) -> Verified:
    if document["mediaType"] != MEDIA_TYPE:
        raise NotASignature(f"The bundle is not of the media type {MEDIA_TYPE}.")
    key, subject = _key(document["verificationMaterial"], public_key)
    envelope = document["dsseEnvelope"]
    payload = base64.b64decode(envelope["payload"], validate=True)
    (signature,) = envelope["signatures"]
    if envelope["payloadType"] != dsse.IN_TOTO:
        raise NotASignature(f"The envelope does not hold {dsse.IN_TOTO}.")
    if not dsse.is_signed(dsse.IN_TOTO, payload, base64.b64decode(signature["sig"], validate=True), key):
        raise NotASignature(f"The bundle was not signed with the key {dsse.fingerprint(key)}.")
    return Verified(key, subject, _files(orjson.loads(payload)))


def _key(material: Any, public_key: str | None) -> tuple[EllipticCurvePublicKey, str | None]:
    """The key of a bundle, and the subject of its certificate."""
    if "publicKey" in material:
        if public_key is None:
            raise NotASignature("The bundle names its key and does not carry it: give it as PublicKey.")
        given = dsse.public_key(public_key)
        hint = material["publicKey"].get("hint")
        if hint and hint != sha256(dsse.pem_of(given).encode()).hexdigest():
            raise NotASignature(f"The bundle says that its key is another one than {dsse.fingerprint(given)}.")
        return given, None
    if "x509CertificateChain" not in material:
        raise NotASignature(
            "The bundle carries neither a key nor a chain of certificates. Signatures by an identity of Sigstore are not taken: "
            "verifying them needs its servers."
        )
    first = base64.b64decode(material["x509CertificateChain"]["certificates"][0]["rawBytes"], validate=True)
    certificate = x509.load_der_x509_certificate(first)
    key = certificate.public_key()
    if not isinstance(key, EllipticCurvePublicKey):
        raise NotASignature("The key of the certificate is no EC key.")
    if public_key is not None and dsse.public_key(public_key).public_numbers() != key.public_numbers():
        raise NotASignature("PublicKey is not the key of the certificate that the bundle carries.")
    return key, certificate.subject.rfc4514_string()


def _files(statement: Any) -> tuple[tuple[str, str], ...]:
    """Names and digests out of a statement that is consistent in itself."""
    if statement["_type"] != STATEMENT or statement["predicateType"] != PREDICATE:
        raise NotASignature(f"The bundle holds no statement of the type {PREDICATE}.")
    serialization, resources = statement["predicate"]["serialization"], statement["predicate"]["resources"]
    if serialization["method"] != "files" or any(one["algorithm"] != "sha256" for one in resources):
        raise NotASignature("Only signatures over whole files by SHA-256 can be compared with what is registered.")
    files = tuple((one["name"], one["digest"]) for one in resources)
    (subject,) = statement["subject"]
    if subject["digest"]["sha256"] != sha256(b"".join(bytes.fromhex(digest) for _, digest in files)).hexdigest():
        raise NotASignature("The statement is not consistent: the digest of its subject is not that of its files.")
    names = [name for name, _ in files]
    if len(set(names)) != len(names) or not (names == [WHOLE] or all(is_safe(name) for name in names)):
        raise NotASignature("A name of a signed file is there twice, or leads out of its folder.")
    return files
