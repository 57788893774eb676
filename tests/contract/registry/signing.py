"""Signatures for tests, made by the library `model-signing` itself."""

from pathlib import Path
from typing import Any

import model_signing
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat


class Signer:
    """An EC key in files."""

    def __init__(self, folder: Path, name: str = "signer", curve: ec.EllipticCurve | None = None) -> None:
        key = ec.generate_private_key(curve or ec.SECP256R1())
        self.folder = folder
        self.private = folder / f"{name}.pem"
        self.public = folder / f"{name}-public.pem"
        self.private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        self.public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))

    @property
    def pem(self) -> str:
        return self.public.read_text()

    def bundle(self, **config: Any) -> bytes:
        """The signature over everything in the folder `model`."""
        hashing = model_signing.hashing.Config(**config)
        signature = self.folder / "model.sig"
        signing = model_signing.signing.Config().use_elliptic_key_signer(private_key=self.private)
        signing.set_hashing_config(hashing).sign(self.folder / "model", signature)
        return signature.read_bytes()


def model(folder: Path, **files: bytes) -> None:
    """Files below the folder `model`."""
    for name, content in files.items():
        path = folder / "model" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
