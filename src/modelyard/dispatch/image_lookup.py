"""Container images that a part names: their digests, looked up as the caller in the part that keeps images.

As with `artifacts`, that part says once how, and nobody imports another part for it.
"""

import re
from dataclasses import dataclass, replace
from typing import Protocol

from modelyard.dispatch.artifacts import NotKeptHere
from modelyard.dispatch.context import Context
from modelyard.storage.interface import Transaction

_ADDRESS = re.compile(
    r"(?P<account>[0-9]{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/(?P<repository>[^:@]+)"
    r"(?::(?P<tag>[^@]+))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)


@dataclass(frozen=True, slots=True)
class ImageAddress:
    """`ACCOUNT.dkr.ecr.REGION.amazonaws.com/REPOSITORY:TAG` or `…@sha256:DIGEST`."""

    account: str
    region: str
    repository: str
    tag: str
    digest: str | None


@dataclass(frozen=True, slots=True)
class FoundImage:
    """What became of looking an image up."""

    digest: str | None
    """`sha256:…`; None where it cannot be looked up."""
    reason: str = ""
    """Why there is no digest, where more is known than that nothing is."""


class ImageFinder(Protocol):
    """What keeps images."""

    def find(self, context: Context, tx: Transaction, address: ImageAddress) -> str | None:
        """The digest of an image, `sha256:…`, None for one that is not here, or that the caller may not look at."""
        ...

    def pull(self, context: Context, tx: Transaction, address: ImageAddress) -> str:
        """The digest of an image that the caller may pull.

        Raises NotKeptHere where there is no such repository, Denied for who may not pull, NotLookedUp for no such image.
        """
        ...

    def resolve(self, context: Context, tx: Transaction, uri: str, address: ImageAddress | None) -> FoundImage | None:
        """What the image catalogue has for an image; None when no recipe answers for it, or a repository here is of its name."""
        ...


_finders: list[ImageFinder] = []


def finds_images(finder: ImageFinder) -> None:
    """Declare what keeps images."""
    _finders[:] = [finder]


def look_up(context: Context, tx: Transaction, uri: str) -> FoundImage:
    """An image by its address: in the repositories here, else in the image catalogue."""
    if not _finders:
        return FoundImage(None)
    address = _address(uri)
    digest = None if address is None else _finders[0].find(context, tx, address)
    if digest is not None:
        return FoundImage(digest)
    return _finders[0].resolve(context, tx, uri, address) or FoundImage(None)


def pull(context: Context, tx: Transaction, uri: str, digest: str | None = None) -> str:
    """The digest of an image that the caller may pull, by its address, or by the digest that it had.

    Raises NotKeptHere for one that no repository here could have, and what `ImageFinder.pull` raises.
    """
    address = _address(uri)
    if address is None or not _finders:
        raise NotKeptHere(f"No repository here has {uri}.")
    return _finders[0].pull(context, tx, address if digest is None else replace(address, digest=digest))


def _address(uri: str) -> ImageAddress | None:
    found = _ADDRESS.fullmatch(uri)
    if found is None:
        return None
    return ImageAddress(found["account"], found["region"], found["repository"], found["tag"] or "latest", found["digest"])
