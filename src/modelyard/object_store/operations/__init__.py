"""S3's operations, one file for each kind of thing they are about."""

from modelyard.object_store.operations import (
    bucket_settings,
    buckets,
    copies,
    deletions,
    keeping,
    listings,
    locks,
    notifications,
    object_settings,
    reads,
    upload_listings,
    uploads,
    writes,
)

__all__ = [
    "bucket_settings",
    "buckets",
    "copies",
    "deletions",
    "keeping",
    "listings",
    "locks",
    "notifications",
    "object_settings",
    "reads",
    "upload_listings",
    "uploads",
    "writes",
]
