"""Whether a version keeps to the metadata contract of its group, when it is registered and whenever it changes."""

from collections.abc import Mapping
from typing import Any

import orjson

from modelyard.aws.errors import ValidationException
from modelyard.dispatch.context import Context
from modelyard.registry import governance_store, metadata_contract
from modelyard.registry.governance_store import Rule
from modelyard.registry.metadata_contract import TooMuchWork
from modelyard.registry.model_package import COPIED, Package

Rules = Mapping[Rule, Mapping[str, Any]]
Document = Mapping[str, Any]

VIEWED = ("ModelPackageGroupName", "ModelApprovalStatus", *COPIED)
"""Members of a version's document that CreateModelPackage has too."""
_NOT_VIEWED = {"ModelPackageArn", "ModelApprovalStatus", "ApprovalDescription", "ModelLifeCycle", "ClientToken"}
"""Members of UpdateModelPackage that decide on a version and say nothing of it."""


def check_registration(rules: Rules, document: Document, metadata: Any, figures: Mapping[str, float]) -> None:
    """Raise ValidationException, with the list of what is missing, for a new version that does not keep to the contract."""
    contract = rules.get(Rule.CONTRACT)
    if contract is not None:
        _refuse(document, _violations(contract, document, metadata, figures))


def check_update(
    context: Context, rules: Rules, found: Package, request: Document, document: Document, brought: Any = None
) -> None:
    """Raise ValidationException for an update after which a version would lack more than before.

    A version may be older than its contract; it can still be approved and annotated. `brought` is new metadata, if there is any.
    """
    contract = rules.get(Rule.CONTRACT)
    if contract is None or not request.keys() - _NOT_VIEWED:
        return
    metadata = current_metadata(context, found)
    before = _violations(contract, found.document, metadata, found.metrics)
    after = _violations(contract, document, metadata if brought is None else brought, found.metrics)
    _refuse(document, [phrase for phrase in after if phrase not in before])


def check_metadata(context: Context, rules: Rules, found: Package, metadata: Any) -> None:
    """Raise ValidationException for metadata with which a version would lack more than before."""
    contract = rules.get(Rule.CONTRACT)
    if contract is None:
        return
    before = _violations(contract, found.document, current_metadata(context, found), found.metrics)
    after = _violations(contract, found.document, metadata, found.metrics)
    _refuse(found.document, [phrase for phrase in after if phrase not in before])


def current_metadata(context: Context, found: Package) -> Any:
    """The version's own document; None when it has none."""
    if not found.metadata_revision:
        return None
    revision = governance_store.metadata(context.tx, found.id, found.metadata_revision)
    return None if revision is None else orjson.loads(revision.document)


def _violations(contract: Document, document: Document, metadata: Any, figures: Mapping[str, float]) -> list[str]:
    members = {member: document[member] for member in VIEWED if member in document}
    try:
        return metadata_contract.violations(contract["Schema"], metadata_contract.view(members, metadata, figures))
    except TooMuchWork as error:
        raise ValidationException(str(error)) from None


def _refuse(document: Document, violations: list[str]) -> None:
    if violations:
        name = document["ModelPackageGroupName"]
        raise ValidationException(f"The metadata contract of the model package group {name} is not met: {'; '.join(violations)}.")
