"""Envelopes of DSSE (Dead Simple Signing Envelope, version 1): what is signed, by whom, and how signatures are checked."""

import base64
from hashlib import sha256
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key, load_pem_public_key

IN_TOTO = "application/vnd.in-toto+json"
_HASHES: dict[str, hashes.HashAlgorithm] = {
    "secp256r1": hashes.SHA256(),
    "secp384r1": hashes.SHA384(),
    "secp521r1": hashes.SHA512(),
}

PrivateKey = EllipticCurvePrivateKey | Ed25519PrivateKey


class NotAKey(Exception):
    """A text that is no key of a kind that is used here; the message is for the client."""


def to_sign(kind: str, payload: bytes) -> bytes:
    """The bytes that are signed for a payload: its pre-authentication encoding."""
    return b"DSSEv1 %d %s %d %s" % (len(kind.encode()), kind.encode(), len(payload), payload)


def envelope(payload: bytes, key: PrivateKey, key_id: str) -> dict[str, Any]:
    """The envelope of an in-toto statement, signed."""
    signed = to_sign(IN_TOTO, payload)
    signature = key.sign(signed) if isinstance(key, Ed25519PrivateKey) else key.sign(signed, ECDSA(hash_of(key.public_key())))
    return {
        "payloadType": IN_TOTO,
        "payload": base64.b64encode(payload).decode("ascii"),
        "signatures": [{"keyid": key_id, "sig": base64.b64encode(signature).decode("ascii")}],
    }


def hash_of(key: EllipticCurvePublicKey) -> hashes.HashAlgorithm:
    """The hash that goes with a curve. Raises NotAKey for other curves than those of NIST."""
    found = _HASHES.get(key.curve.name)
    if found is None:
        raise NotAKey(f"The curve {key.curve.name} is none of P-256, P-384 and P-521.")
    return found


def is_signed(kind: str, payload: bytes, signature: bytes, key: EllipticCurvePublicKey) -> bool:
    """Whether a payload was signed with a key."""
    try:
        key.verify(signature, to_sign(kind, payload), ECDSA(hash_of(key)))
    except InvalidSignature:
        return False
    return True


def public_key(pem: str) -> EllipticCurvePublicKey:
    """A key from PEM. Raises NotAKey."""
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise NotAKey("This is no public key in PEM.") from error
    if not isinstance(key, EllipticCurvePublicKey):
        raise NotAKey("The public key is no EC key: the model-signing format has P-256, P-384 and P-521.")
    hash_of(key)
    return key


def private_key(pem: bytes, password: bytes | None) -> PrivateKey:
    """A private key from PEM: an EC key of a curve that is used here, or an Ed25519 key. Raises NotAKey."""
    try:
        key = load_pem_private_key(pem, password)
    except TypeError:
        raise NotAKey("The private key needs a password, or has none and one was given.") from None
    except (ValueError, UnsupportedAlgorithm):
        raise NotAKey("This is no private key in PEM, or its password is another.") from None
    if isinstance(key, EllipticCurvePrivateKey):
        hash_of(key.public_key())
    elif not isinstance(key, Ed25519PrivateKey):
        raise NotAKey("The private key is neither an EC key (P-256, P-384, P-521) nor an Ed25519 key.")
    return key


def pem_of_public_part(pem: bytes, password: bytes | None) -> str:
    """The public key of an EC private key, as PEM. Raises NotAKey."""
    key = private_key(pem, password)
    if not isinstance(key, EllipticCurvePrivateKey):
        raise NotAKey("The model-signing format has EC keys only: P-256, P-384 and P-521.")
    return pem_of(key.public_key())


def pem_of(key: EllipticCurvePublicKey) -> str:
    """A key as PEM, as OpenSSL writes it."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")


def fingerprint(key: EllipticCurvePublicKey) -> str:
    """`sha256:` and the SHA-256 of the SubjectPublicKeyInfo: the digest of `openssl pkey -pubin -outform DER`."""
    return f"sha256:{sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()}"


def text(document: dict[str, Any]) -> str:
    """A JSON document as it is handed out and signed."""
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS).decode()
