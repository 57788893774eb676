"""The bytes that other parts rely on: looked up as their caller, and pinned."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from modelyard.access.evaluation import decide
from modelyard.access.permission import Permission
from modelyard.aws.errors import AwsError
from modelyard.blobs.interface import BlobStore
from modelyard.dispatch.artifacts import Denied, FoundObject, NotKeptHere, NotLookedUp, keeps_artifacts
from modelyard.dispatch.context import Context
from modelyard.dispatch.recording import Refused
from modelyard.object_store import sealing, store, store_objects, store_pins
from modelyard.object_store.bucket import Bucket, Versioning
from modelyard.object_store.listing import Start
from modelyard.object_store.object_key import MOST_BYTES, byte_length
from modelyard.object_store.object_version import ObjectVersion, Part
from modelyard.object_store.operations.reads import read_bytes
from modelyard.object_store.permissions import bucket_permission, object_permission
from modelyard.storage.interface import Transaction

PAGE = 1000
"""Keys that one statement reads."""


@dataclass(frozen=True, slots=True)
class _Origin:
    """What a found object is kept as."""

    bucket: Bucket
    version: ObjectVersion
    parts: list[Part]
    data_key: bytes | None
    """Of an encrypted object, got as the caller."""


class ObjectKeeper:
    """Finds and pins objects of the object store (`dispatch.artifacts.Keeper`)."""

    def find(self, context: Context, tx: Transaction, bucket: str, key: str) -> FoundObject:
        """The newest version of an object, if the caller may read it. Raises NotLookedUp."""
        return self._found(context, tx, self._bucket(tx, bucket), key)

    def find_below(self, context: Context, tx: Transaction, bucket: str, prefix: str, most: int) -> Sequence[FoundObject]:
        """The objects below a prefix, at most `most`, if the caller may list and read them. Raises NotLookedUp."""
        place = self._bucket(tx, bucket)
        listing = bucket_permission(context.within(tx), place, "s3:ListBucket", {"Prefix": prefix})
        _check(context, listing, f"The caller may not list s3://{bucket}/{prefix}.")
        return [self._found(context, tx, place, key) for key in _keys_below(tx, place, prefix, most)]

    def read_found(self, context: Context, found: FoundObject) -> Iterator[bytes]:
        """The bytes of what was found. Raises NotLookedUp when they are gone by now."""
        origin = found.origin
        assert isinstance(origin, _Origin)
        try:
            yield from read_bytes(context.blobs, origin.version, origin.parts, 0, found.size, origin.data_key)
        except FileNotFoundError:
            raise NotLookedUp(f"s3://{found.bucket}/{found.key} was replaced while it was read.") from None

    def pin(self, tx: Transaction, holder: str, found: FoundObject) -> int:
        """Keep the bytes of what was found for `holder` from now on. Raises NotLookedUp when they are gone by now."""
        origin = found.origin
        assert isinstance(origin, _Origin)
        try:
            return store_pins.pin(tx, holder, origin.bucket, origin.version, origin.parts)
        except store_pins.BytesGone:
            raise NotLookedUp(f"s3://{found.bucket}/{found.key} was removed while it was registered.") from None

    def unpin(self, tx: Transaction, holder: str, now: float, *, but: frozenset[int] = frozenset()) -> None:
        """Let go of everything that `holder` keeps, but for those pins."""
        store_pins.unpin(tx, holder, now, but)

    def hold(self, tx: Transaction, holder: str, pin: int) -> int:
        """Keep for another holder what a pin keeps. Raises NotLookedUp when there is no such pin."""
        made = store_pins.hold(tx, holder, pin)
        if made is None:
            raise NotLookedUp("What was registered is no longer kept.")
        return made

    def check_pinned(self, context: Context, tx: Transaction, pin: int) -> None:
        """Make sure that the caller may read what a pin keeps. Raises NotLookedUp, and Denied for who may not."""
        version = store_pins.pinned_version(tx, pin)
        if version is None:
            raise NotLookedUp("What was registered is no longer kept.")
        bucket = store_pins.bucket_of(tx, pin)
        address = version.key if bucket is None else f"s3://{bucket.name}/{version.key}"
        if bucket is not None:
            reading = object_permission(context, bucket, "s3:GetObject", version.key, {}, version)
            _check(context, reading, f"The caller may not read {address}.")
        _data_key(context.within(tx), version.sealed, address)

    def read_pinned(self, blobs: BlobStore, tx: Transaction, pin: int, caller: Context | None = None) -> Iterator[bytes]:
        """The bytes of a pin. Raises FileNotFoundError when there is no such pin, or its bytes were damaged or taken away.

        Bytes that are kept encrypted are decrypted as the caller. Raises NotLookedUp without one, and for one who may not.
        """
        version = store_pins.pinned_version(tx, pin)
        if version is None:
            raise FileNotFoundError(f"pin {pin}")
        data_key = None
        if version.sealed is not None:
            if caller is None:
                raise NotLookedUp(f"{version.key} is kept encrypted, and nobody is there who may decrypt it.")
            data_key = _data_key(caller.within(tx), version.sealed, version.key)
        return read_bytes(blobs, version, store_pins.parts_of(tx, version), 0, version.size, data_key)

    def _bucket(self, tx: Transaction, name: str) -> Bucket:
        bucket = store.bucket(tx, name)
        if bucket is None:
            raise NotKeptHere(f"There is no bucket {name} here.")
        return bucket

    def _found(self, context: Context, tx: Transaction, bucket: Bucket, key: str) -> FoundObject:
        address = f"s3://{bucket.name}/{key}"
        version = store_objects.newest(tx, bucket, key) if byte_length(key) <= MOST_BYTES else None
        reading = object_permission(context, bucket, "s3:GetObject", key, {}, version)
        _check(context, reading, f"The caller may not read {address}.")
        if version is None or version.delete_marker:
            raise NotLookedUp(f"There is no object {address}.")
        parts = store_objects.parts(tx, version) if version.part_count else []
        shown = None if bucket.versioning is Versioning.NEVER else version.version_id
        data_key = _data_key(context.within(tx), version.sealed, address)
        digest = version.digest if version.sealed is None else None
        return FoundObject(bucket.name, key, shown, version.size, version.etag, digest, _Origin(bucket, version, parts, data_key))


def _data_key(context: Context, sealed: sealing.Sealed | None, address: str) -> bytes | None:
    """The data key of an encrypted object, got as the caller. Raises NotLookedUp."""
    try:
        return sealing.open_key(context, sealed)
    except AwsError as error:
        text = f"The caller cannot decrypt {address}: {error.message}"
        refusal = error.__cause__
        if isinstance(refusal, Refused):
            raise Denied(text, refusal.permission, refusal.decision) from None
        raise NotLookedUp(text) from None


def _check(context: Context, permission: Permission, text: str) -> None:
    decision = decide(context.principal, permission, context.facts)
    if not decision.allowed:
        raise Denied(text, permission, decision)


def _keys_below(tx: Transaction, bucket: Bucket, prefix: str, most: int) -> list[str]:
    """The keys that begin with the prefix, without those that only mark folders. Raises NotLookedUp for too many or none."""
    keys: list[str] = []
    start = Start(prefix, inclusive=True)
    while True:
        page = store_objects.current(tx, bucket, start, PAGE)
        keys += [
            listed.key for listed in page if listed.key.startswith(prefix) and not (listed.key[-1] == "/" and not listed.size)
        ]
        if len(keys) > most:
            raise NotLookedUp(f"There are more than {most} objects below s3://{bucket.name}/{prefix}.")
        if len(page) < PAGE or not page[-1].key.startswith(prefix):
            break
        start = Start(page[-1].key, inclusive=False)
    if not keys:
        raise NotLookedUp(f"There is no object below s3://{bucket.name}/{prefix}.")
    return keys


keeps_artifacts(ObjectKeeper())
