"""The operations that the registry answers; importing this package declares them all."""

from modelyard.registry.operations import (
    approval_rules,
    attestations,
    deployment,
    groups,
    integrity_reports,
    metadata_contracts,
    model_card_exports,
    model_cards,
    package_lists,
    packages,
    policies,
    search,
    signatures,
    tags,
)

__all__ = [
    "approval_rules",
    "attestations",
    "deployment",
    "groups",
    "integrity_reports",
    "metadata_contracts",
    "model_card_exports",
    "model_cards",
    "package_lists",
    "packages",
    "policies",
    "search",
    "signatures",
    "tags",
]
