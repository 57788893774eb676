"""The registered bytes of a version as files: what each is called outside the registry, and what a signature may say of them."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modelyard.registry.integrity import UNVERIFIED, Kind

Document = Mapping[str, Any]

UNSIGNED = (".git", ".gitattributes", ".github", ".gitignore")
"""What `model_signing sign` leaves out of a signature unless it is told otherwise."""
WHOLE = "."
"""What a signature calls the model when that is a single file and no folder."""
_LONGEST_NAME = 1024
_LONGEST_SEGMENT = 255
"""Bytes of a name that file systems take."""


class NotSignable(Exception):
    """A version whose bytes are not all known; the text is for the client."""


@dataclass(frozen=True, slots=True)
class RegisteredFile:
    """An object that the registry keeps for a version."""

    name: str
    """A relative path that every file system takes; no two files of a version have the same."""
    location: str
    """One place of the version's document that names it."""
    bucket: str
    key: str
    size: int
    sha256: str | None
    """None as long as a large object is still to be hashed."""

    @property
    def uri(self) -> str:
        """Its address in S3."""
        return f"s3://{self.bucket}/{self.key}"

    def is_called(self, name: str) -> bool:
        """Whether a signature may mean this file by a name: the one it has here, or the end of its key."""
        return name == self.name or f"/{self.key}".endswith(f"/{name}")


def registered_files(records: Iterable[Document]) -> list[RegisteredFile]:
    """The files of a version, each once, from what was found of its artifacts.

    They are called by their paths below the folder that is common to all of them, so that a single one has its plain name and
    a folder is what it was. What cannot be called so gets its digest before its name.
    """
    found: dict[tuple[str, str, str], tuple[str, Document]] = {}
    for record in records:
        for kept in record.get("Objects", ()):
            found.setdefault((kept["Bucket"], kept["Key"], kept.get("Sha256") or kept["ETag"]), (record["Location"], kept))
    objects = sorted(found.items())
    names = _names([f"{bucket}/{key}" for (bucket, key, _), _ in objects], [digest for (_, _, digest), _ in objects])
    return [
        RegisteredFile(name, location, kept["Bucket"], kept["Key"], kept["Size"], kept.get("Sha256"))
        for name, (_, (location, kept)) in zip(names, objects, strict=True)
    ]


def _names(paths: Sequence[str], digests: Sequence[str]) -> list[str]:
    common = len(_common_folder(paths))
    names = [path[common:] for path in paths]
    folded = Counter(name.lower() for name in names)
    folders = {folder for name in names for folder in _folders(name.lower())}
    return [
        name
        if is_safe(name) and folded[name.lower()] == 1 and name.lower() not in folders
        else f"{digest[:32]}-{_plain(name.rpartition('/')[2])}"
        for name, digest in zip(names, digests, strict=True)
    ]


def _common_folder(paths: Sequence[str]) -> str:
    if not paths:
        return ""
    first, last = min(paths), max(paths)
    same = next((place for place, character in enumerate(first) if last[place : place + 1] != character), len(first))
    return first[: first.rfind("/", 0, same) + 1]


def _folders(name: str) -> Iterable[str]:
    parts = name.split("/")
    return ("/".join(parts[:count]) for count in range(1, len(parts)))


def _plain(name: str) -> str:
    """A name of characters that are harmless anywhere."""
    return "".join(
        character if character.isascii() and (character.isalnum() or character in "._-") else "_" for character in name
    )[:100]


def is_safe(name: str) -> bool:
    """Whether a name is a relative path that stays below where it is put, on any system."""
    return (
        len(name) <= _LONGEST_NAME
        and not any(character in name for character in '\\:*?"<>|')
        and all(_is_safe_segment(segment) for segment in name.split("/"))
    )


def _is_safe_segment(segment: str) -> bool:
    return (
        segment not in ("", ".", "..")
        and segment.isprintable()
        and len(segment.encode("utf-8", "surrogatepass")) <= _LONGEST_SEGMENT
    )


def signable(records: Sequence[Document]) -> list[RegisteredFile]:
    """The files of a version. Raises NotSignable unless the registry keeps all of them, and knows the SHA-256 of each."""
    for record in records:
        if record["Kind"] != Kind.IMAGE and record["Status"] == UNVERIFIED:
            raise NotSignable(f"The registry does not keep {record['Uri']}: {record['Reason']}")
    files = registered_files(records)
    if not files:
        raise NotSignable("The version was registered without an artifact that the registry keeps.")
    for file in files:
        if file.sha256 is None:
            raise NotSignable(
                f"The SHA-256 of {file.uri} is not known: a large object is hashed soon after its registration, "
                "and one that is encrypted with a key of its own is not."
            )
    return files


def covers(signed: Iterable[tuple[str, str]], files: Sequence[RegisteredFile]) -> str | None:
    """Why a signature over these names and SHA-256s does not vouch for exactly these files; None when it does."""
    by_digest: dict[str | None, list[RegisteredFile]] = {}
    for file in files:
        by_digest.setdefault(file.sha256, []).append(file)
    covered: set[RegisteredFile] = set()
    for name, digest in signed:
        meant = [file for file in by_digest.get(digest, ()) if _is_called(file, name, files)]
        if not meant:
            other = next((file for file in files if _is_called(file, name, files)), None)
            if other is None:
                return f"{name} was signed, and no registered file is called so."
            return f"{name} was signed with the SHA-256 {digest}, and {other.uri} was registered with {other.sha256}."
        covered.update(meant)
    missing = next((file for file in files if file not in covered and file.name.split("/")[0] not in UNSIGNED), None)
    return None if missing is None else f"{missing.uri} is registered, and was not signed."


def _is_called(file: RegisteredFile, name: str, files: Sequence[RegisteredFile]) -> bool:
    return file.is_called(name) or (name == WHOLE and len(files) == 1)
