"""Which signatures hold for what a version is now, and whose they are."""

from collections.abc import Sequence

from modelyard.dispatch.context import Context
from modelyard.registry import governance_store, integrity, registered_files, store_signatures
from modelyard.registry.integrity import Document
from modelyard.registry.model_package import Package
from modelyard.registry.registered_files import NotSignable
from modelyard.registry.store_signatures import Signature


def known_of(context: Context, found: Package) -> list[Document]:
    """What is known of every artifact and image that a version names now."""
    return integrity.known(found.document, governance_store.integrity(context.tx, found.id))


def current(context: Context, found: Package, kept: Sequence[Signature]) -> list[Signature]:
    """Those of its signatures that vouch for everything that a version deploys now, and for nothing else."""
    if not kept:
        return []
    try:
        files = registered_files.signable(known_of(context, found))
    except NotSignable:
        return []
    return [one for one in kept if registered_files.covers(one.files, files) is None]


def signers(context: Context, found: Package) -> frozenset[str]:
    """The fingerprints of the keys whose signatures hold."""
    return frozenset(one.fingerprint for one in current(context, found, store_signatures.signatures(context.tx, found.id)))
