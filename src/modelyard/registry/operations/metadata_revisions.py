"""Revisions of a version's metadata, as they are kept."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from modelyard.dispatch.context import Context
from modelyard.registry import governance_store, metadata
from modelyard.registry.governance_store import Revision
from modelyard.registry.model_package import Package

Document = dict[str, Any]


def keep_first(context: Context, package_id: int, document: Mapping[str, Any] | None) -> Document:
    """Keep what a registration brings, if anything; what Search sees of it."""
    return {} if document is None else _keep(context, package_id, 1, document)


def keep_next(context: Context, found: Package, document: Mapping[str, Any]) -> Package:
    """Keep the next revision of a version's metadata; the version as it is then."""
    _keep(context, found.id, found.metadata_revision + 1, document)
    return replace(found, metadata_revision=found.metadata_revision + 1)


def _keep(context: Context, package_id: int, number: int, document: Mapping[str, Any]) -> Document:
    searchable = metadata.searchable(document)
    revision = Revision(number, context.now, context.principal.arn, metadata.written(document))
    governance_store.add_metadata(context.tx, package_id, revision, searchable)
    return searchable
