"""The SQL of repositories and images."""

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from modelyard.images.manifest import Manifest
from modelyard.images.repository import Mutability, Repository, RepositoryName
from modelyard.storage.interface import Row, Transaction

_REPOSITORY = (
    "SELECT id, account, region, name, created, tag_mutability, mutability_filters, scan_on_push, policy FROM ecr_repository"
)
_IMAGE = "SELECT id, digest, media_type, artifact_media_type, size, pushed, manifest FROM ecr_image"


@dataclass(frozen=True, slots=True)
class Image:
    """An image in a repository."""

    id: int
    digest: str
    media_type: str
    artifact_media_type: str
    size: int
    pushed: float
    manifest: str


def repository(tx: Transaction, at: RepositoryName) -> Repository | None:
    """A repository by its name."""
    row = tx.one(
        f"{_REPOSITORY} WHERE account = :account AND region = :region AND name = :name",
        {"account": at.account, "region": at.region, "name": at.name},
    )
    return None if row is None else _repository(row)


def repositories(tx: Transaction, account: str, region: str, after: str, most: int) -> list[Repository]:
    """The repositories of an account, in order of their names."""
    rows = tx.all(
        f"{_REPOSITORY} WHERE account = :account AND region = :region AND name > :after ORDER BY name LIMIT :most",
        {"account": account, "region": region, "after": after, "most": most},
    )
    return [_repository(row) for row in rows]


def add_repository(tx: Transaction, new: Repository) -> None:
    """Make a repository."""
    tx.execute(
        "INSERT INTO ecr_repository (account, region, name, created, tag_mutability, mutability_filters, scan_on_push)"
        " VALUES (:account, :region, :name, :created, :mutability, :filters, :scan)",
        {
            "account": new.at.account,
            "region": new.at.region,
            "name": new.at.name,
            "created": new.created,
            "mutability": new.mutability.value,
            "filters": orjson.dumps(list(new.exclusions)).decode(),
            "scan": int(new.scan_on_push),
        },
    )


def set_mutability(tx: Transaction, old: Repository, mutability: Mutability, exclusions: Sequence[str]) -> None:
    """Let tags be moved, or not, from now on."""
    tx.execute(
        "UPDATE ecr_repository SET tag_mutability = :mutability, mutability_filters = :filters WHERE id = :id",
        {"id": old.id, "mutability": mutability.value, "filters": orjson.dumps(list(exclusions)).decode()},
    )


def set_policy(tx: Transaction, old: Repository, policy: str | None) -> None:
    """Keep a repository's policy as it was given, or have none."""
    tx.execute("UPDATE ecr_repository SET policy = :policy WHERE id = :id", {"id": old.id, "policy": policy})


def remove_repository(tx: Transaction, old: Repository) -> None:
    """Remove a repository that has neither images nor layers nor uploads left."""
    tx.execute("DELETE FROM ecr_repository WHERE id = :id", {"id": old.id})


def has_images(tx: Transaction, within: Repository) -> bool:
    """Whether a repository has any image."""
    return tx.one("SELECT 1 FROM ecr_image WHERE repository_id = :id LIMIT 1", {"id": within.id}) is not None


def image(tx: Transaction, within: Repository, digest: str) -> Image | None:
    """An image by its digest."""
    row = tx.one(f"{_IMAGE} WHERE repository_id = :id AND digest = :digest", {"id": within.id, "digest": digest})
    return None if row is None else Image(*row)


def tagged_image(tx: Transaction, within: Repository, tag: str) -> Image | None:
    """The image that a tag is on."""
    row = tx.one(
        f"{_IMAGE} WHERE id = (SELECT image_id FROM ecr_tag WHERE repository_id = :id AND tag = :tag)",
        {"id": within.id, "tag": tag},
    )
    return None if row is None else Image(*row)


def tags(tx: Transaction, of: Image) -> list[str]:
    """The tags of an image, in order."""
    return [tag for (tag,) in tx.all("SELECT tag FROM ecr_tag WHERE image_id = :id ORDER BY tag", {"id": of.id})]


def images(tx: Transaction, within: Repository, after: int, most: int, tagged: bool | None) -> list[Image]:
    """Images in the order they were pushed; only those with or without tags, if asked for."""
    rows = tx.all(
        f"{_IMAGE} WHERE repository_id = :id AND id > :after{_tagged(tagged)} ORDER BY id LIMIT :most",
        {"id": within.id, "after": after, "most": most},
    )
    return [Image(*row) for row in rows]


def image_ids(tx: Transaction, within: Repository, after: tuple[int, str], most: int, tagged: bool | None) -> list[Row]:
    """Row, digest and tag of every image, once for each of its tags; the tag is empty for an image without any."""
    return tx.all(
        "SELECT ecr_image.id, digest, COALESCE(tag, '') FROM ecr_image LEFT JOIN ecr_tag ON image_id = ecr_image.id"
        f" WHERE ecr_image.repository_id = :id AND (ecr_image.id, COALESCE(tag, '')) > (:row, :tag){_tagged(tagged)}"
        " ORDER BY ecr_image.id, COALESCE(tag, '') LIMIT :most",
        {"id": within.id, "row": after[0], "tag": after[1], "most": most},
    )


def _tagged(tagged: bool | None) -> str:
    if tagged is None:
        return ""
    return f" AND {'' if tagged else 'NOT '}EXISTS (SELECT 1 FROM ecr_tag AS t WHERE t.image_id = ecr_image.id)"


def add_image(tx: Transaction, within: Repository, manifest: Manifest, now: float) -> Image:
    """Keep a manifest."""
    row = tx.one(
        "INSERT INTO ecr_image (repository_id, digest, media_type, artifact_media_type, size, pushed, manifest)"
        " VALUES (:repository, :digest, :type, :artifact, :size, :now, :manifest) RETURNING id",
        {
            "repository": within.id,
            "digest": manifest.digest,
            "type": manifest.media_type,
            "artifact": manifest.artifact_media_type,
            "size": manifest.size,
            "now": now,
            "manifest": manifest.text,
        },
    )
    assert row is not None, "RETURNING gives the inserted row"
    parts = manifest.layers or manifest.images
    tx.execute_many(
        "INSERT INTO ecr_image_part (image_id, digest) VALUES (:id, :digest)",
        [{"id": row[0], "digest": digest} for digest in parts],
    )
    return Image(row[0], manifest.digest, manifest.media_type, manifest.artifact_media_type, manifest.size, now, manifest.text)


def put_tag(tx: Transaction, within: Repository, tag: str, on: Image) -> None:
    """Put a tag on an image, taking it off another one."""
    tx.execute(
        "INSERT INTO ecr_tag (repository_id, tag, image_id) VALUES (:id, :tag, :image)"
        " ON CONFLICT (repository_id, tag) DO UPDATE SET image_id = excluded.image_id",
        {"id": within.id, "tag": tag, "image": on.id},
    )


def remove_tag(tx: Transaction, within: Repository, tag: str) -> None:
    """Take a tag away."""
    tx.execute("DELETE FROM ecr_tag WHERE repository_id = :id AND tag = :tag", {"id": within.id, "tag": tag})


def is_listed(tx: Transaction, within: Repository, digest: str) -> bool:
    """Whether another manifest of the repository lists this image."""
    row = tx.one(
        "SELECT 1 FROM ecr_image_part p JOIN ecr_image i ON i.id = p.image_id WHERE p.digest = :digest AND i.repository_id = :id"
        " LIMIT 1",
        {"digest": digest, "id": within.id},
    )
    return row is not None


def remove_image(tx: Transaction, old: Image) -> list[str]:
    """Remove an image with its tags; the digests of what it was made of."""
    parts = [digest for (digest,) in tx.all("SELECT digest FROM ecr_image_part WHERE image_id = :id", {"id": old.id})]
    for table, column in (("ecr_tag", "image_id"), ("ecr_image_part", "image_id"), ("ecr_image", "id")):
        tx.execute(f"DELETE FROM {table} WHERE {column} = :id", {"id": old.id})
    return parts


def _repository(row: Row) -> Repository:
    number, account, region, name, created, mutability, filters, scan, policy = row
    return Repository(
        at=RepositoryName(account, region, name),
        created=created,
        mutability=Mutability(mutability),
        exclusions=orjson.loads(filters),
        scan_on_push=bool(scan),
        policy=policy,
        id=number,
    )
