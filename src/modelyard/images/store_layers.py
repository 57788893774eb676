"""The SQL of layers and of their uploads. Their bytes are blobs, which these rows keep."""

from collections.abc import Iterable
from dataclasses import dataclass

from modelyard.dispatch import kept_blobs
from modelyard.images.repository import Repository
from modelyard.storage.interface import Transaction

kept_blobs.refers("ecr_layer")
kept_blobs.refers("ecr_upload_part")


@dataclass(frozen=True, slots=True)
class LayerUpload:
    """A layer on its way in."""

    upload_id: str
    repository_id: int
    size: int
    """Bytes that are here so far."""


@dataclass(frozen=True, slots=True)
class LayerPart:
    """A stretch of a layer."""

    first_byte: int
    size: int
    digest: str


def layer_size(tx: Transaction, within: Repository, digest: str) -> int | None:
    """The size of a layer; None when the repository does not have it."""
    row = tx.one("SELECT size FROM ecr_layer WHERE repository_id = :id AND digest = :digest", {"id": within.id, "digest": digest})
    return None if row is None else int(row[0])


def add_layer(tx: Transaction, within: Repository, digest: str, size: int) -> None:
    """Keep a layer; the caller has seen to `kept_blobs.refer`."""
    tx.execute(
        "INSERT INTO ecr_layer (repository_id, digest, size) VALUES (:id, :digest, :size)",
        {"id": within.id, "digest": digest, "size": size},
    )


def remove_unused(tx: Transaction, within: Repository, digests: Iterable[str], now: float) -> None:
    """Let go of those layers that no image of the repository is made of any more."""
    for digest in digests:
        removed = tx.execute(
            "DELETE FROM ecr_layer WHERE repository_id = :id AND digest = :digest AND NOT EXISTS (SELECT 1 FROM ecr_image_part p"
            " JOIN ecr_image i ON i.id = p.image_id WHERE p.digest = :digest AND i.repository_id = :id)",
            {"id": within.id, "digest": digest},
        )
        if removed:
            kept_blobs.release(tx, [digest], now)


def remove_all(tx: Transaction, within: Repository, now: float) -> None:
    """Let go of every layer and upload of a repository that is going away."""
    rows = tx.all("SELECT digest FROM ecr_layer WHERE repository_id = :id", {"id": within.id})
    kept_blobs.release(tx, [digest for (digest,) in rows], now)
    tx.execute("DELETE FROM ecr_layer WHERE repository_id = :id", {"id": within.id})
    for (upload_id,) in tx.all("SELECT upload_id FROM ecr_upload WHERE repository_id = :id", {"id": within.id}):
        remove_upload(tx, upload_id, now)


def add_upload(tx: Transaction, within: Repository, upload_id: str, now: float) -> None:
    """Begin to take in a layer."""
    tx.execute(
        "INSERT INTO ecr_upload (upload_id, repository_id, modified, size) VALUES (:upload, :id, :now, 0)",
        {"upload": upload_id, "id": within.id, "now": now},
    )


def upload(tx: Transaction, within: Repository, upload_id: str) -> LayerUpload | None:
    """An upload of a repository."""
    row = tx.one(
        "SELECT upload_id, repository_id, size FROM ecr_upload WHERE upload_id = :upload AND repository_id = :id",
        {"upload": upload_id, "id": within.id},
    )
    return None if row is None else LayerUpload(*row)


def parts(tx: Transaction, upload_id: str) -> list[LayerPart]:
    """What is here of a layer, in order."""
    rows = tx.all(
        "SELECT first_byte, size, digest FROM ecr_upload_part WHERE upload_id = :upload ORDER BY first_byte",
        {"upload": upload_id},
    )
    return [LayerPart(*row) for row in rows]


def add_part(tx: Transaction, to: LayerUpload, part: LayerPart, now: float) -> None:
    """Keep the next stretch of a layer; the caller has seen to `kept_blobs.refer`."""
    tx.execute(
        "INSERT INTO ecr_upload_part (upload_id, first_byte, size, digest) VALUES (:upload, :first, :size, :digest)",
        {"upload": to.upload_id, "first": part.first_byte, "size": part.size, "digest": part.digest},
    )
    tx.execute(
        "UPDATE ecr_upload SET size = :size, modified = :now WHERE upload_id = :upload",
        {"upload": to.upload_id, "size": to.size + part.size, "now": now},
    )


def remove_upload(tx: Transaction, upload_id: str, now: float) -> None:
    """End an upload, and let go of its parts."""
    kept_blobs.release(tx, [part.digest for part in parts(tx, upload_id)], now)
    tx.execute("DELETE FROM ecr_upload_part WHERE upload_id = :upload", {"upload": upload_id})
    tx.execute("DELETE FROM ecr_upload WHERE upload_id = :upload", {"upload": upload_id})


def abandoned(tx: Transaction, before: float, most: int) -> list[str]:
    """Uploads to which nothing was added since then."""
    rows = tx.all(
        "SELECT upload_id FROM ecr_upload WHERE modified < :before ORDER BY modified LIMIT :most",
        {"before": before, "most": most},
    )
    return [upload_id for (upload_id,) in rows]
