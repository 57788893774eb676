"""Signing and verifying with the library `model-signing`, which is installed with the extra `signing`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelyard.cli.failure import CommandFailure

HOW_TO_INSTALL = "pip install 'modelyard[signing]'"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """What signs: a private key, and the certificate for it where there is one."""

    private_key: Path
    password: bytes | None = None
    certificate: Path | None = None
    chain: Sequence[Path] = ()


def sign(model: Path, key: SigningKey, signature: Path) -> None:
    """Sign a folder; the bundle goes into a new file. Raises CommandFailure."""
    library = _library()
    config = library.signing.Config()
    try:
        if key.certificate is None:
            config.use_elliptic_key_signer(private_key=key.private_key, password=key.password)
        else:
            config.use_certificate_signer(
                private_key=key.private_key, signing_certificate=key.certificate, certificate_chain=key.chain
            )
        config.set_hashing_config(_hashing(library)).sign(model, signature)
    except (ValueError, TypeError) as error:
        raise CommandFailure(f"The version cannot be signed with {key.private_key}: {error}") from error


def verify(model: Path, signature: Path, *, public_key: Path | None, chain: Sequence[Path] = ()) -> None:
    """Verify the signature of a folder, or of a file, with a key or under certificates. Raises CommandFailure."""
    library = _library()
    config = library.verifying.Config()
    try:
        if public_key is not None:
            config.use_elliptic_key_verifier(public_key=public_key)
        else:
            config.use_certificate_verifier(certificate_chain=chain)
        config.set_hashing_config(_hashing(library)).verify(model, signature)
    except OSError:
        raise
    except Exception as error:  # the library lets through what cryptography, OpenSSL and its parsers raise
        raise CommandFailure(f"The signature does not hold: {error or type(error).__name__}") from error


def _hashing(library: Any) -> Any:
    """As its command line has it: files of git do not count."""
    return library.hashing.Config().set_ignored_paths(paths=[], ignore_git_paths=True)


def _library() -> Any:
    try:
        import model_signing
    except ImportError as error:
        raise CommandFailure(f"Signing needs packages that are not installed ({error.name}): {HOW_TO_INSTALL}") from error
    return model_signing
