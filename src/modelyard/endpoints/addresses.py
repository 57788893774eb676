"""Where a container's image and files are, for containers that no model package stands for."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from modelyard.endpoints.model import MULTI

OBJECT, PREFIX, IMAGE = "Object", "Prefix", "Image"
MOST_OBJECTS = 1000
"""Objects below a prefix that are looked up."""


@dataclass(frozen=True, slots=True)
class Address:
    """One of them."""

    member: str
    """The member of the container that names it."""
    kind: str
    uri: str
    expected: str | None = None
    """The ETag that it has to have."""


def addresses(container: Mapping[str, Any]) -> Iterator[Address]:
    """Every address in a container."""
    yield Address("Image", IMAGE, container["Image"])
    # The models of a multi-model endpoint come and go below their prefix, also before there is any.
    several = container.get("Mode") == MULTI
    if "ModelDataUrl" in container and not several:
        yield Address("ModelDataUrl", OBJECT, container["ModelDataUrl"])
    source = container.get("ModelDataSource", {}).get("S3DataSource")
    if source is not None and not several:
        yield _of_source("ModelDataSource", source)
    for number, more in enumerate(container.get("AdditionalModelDataSources", ())):
        yield _of_source(f"AdditionalModelDataSources[{number}]", more["S3DataSource"])


def _of_source(member: str, source: Mapping[str, Any]) -> Address:
    kind = PREFIX if source["S3DataType"] == "S3Prefix" else OBJECT
    return Address(member, kind, source["S3Uri"], source.get("ETag"))


def in_s3(uri: str) -> tuple[str, str] | None:
    """Bucket and key of an `s3://` address; None for an address of another kind."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return (bucket, key) if uri.startswith("s3://") and bucket else None
