"""The grammar of policy documents: from JSON text to statements whose elements are there and of the right form.

What a statement means is compiled in `policy`; here is what AWS refuses when a document is put.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from modelyard.access.policy_principals import KINDS

VERSIONS = ("2012-10-17", "2008-10-17")


class PolicyKind(StrEnum):
    """What a document is attached to, which decides the elements it may have."""

    IDENTITY = "identity"
    """A user, role or session."""
    RESOURCE = "resource"
    TRUST = "trust"
    """A role: who may assume it."""
    BOUNDARY = "boundary"
    """The most that the identity policies of a user or role can grant."""


LARGEST = {PolicyKind.IDENTITY: 10240, PolicyKind.RESOURCE: 32768, PolicyKind.TRUST: 8192, PolicyKind.BOUNDARY: 10240}
"""Characters without white space: AWS's largest quota of the kind. Operations of smaller quotas check them themselves."""
LARGEST_TEXT = 131072
"""Characters with white space."""

_DOCUMENT_ELEMENTS = {"Version", "Id", "Statement"}
_STATEMENT_ELEMENTS = {
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
}
_SID = re.compile("[0-9A-Za-z]*", re.ASCII)
_WHITE_SPACE = re.compile(r"\s+")
SYNTAX = "Syntax errors in policy."


class MalformedPolicy(ValueError):
    """A document that is not a policy; the text is a sentence for its author."""

    def __init__(self, sentence: str) -> None:
        super().__init__("".join(character if character.isprintable() else "?" for character in sentence))


@dataclass(frozen=True, slots=True)
class RawStatement:
    """A statement whose elements have the right form."""

    sid: str
    allows: bool
    principals: tuple[tuple[str, str], ...] | None
    not_principals: tuple[tuple[str, str], ...] | None
    actions: tuple[str, ...] | None
    not_actions: tuple[str, ...] | None
    resources: tuple[str, ...] | None
    not_resources: tuple[str, ...] | None
    conditions: tuple[tuple[str, str, tuple[str, ...]], ...]
    """Operator, key, values."""


@dataclass(frozen=True, slots=True)
class RawDocument:
    """A document of the right form."""

    version: str
    statements: tuple[RawStatement, ...]


def read_document(text: str, kind: PolicyKind) -> RawDocument:
    """Check the grammar of a document. Raises MalformedPolicy."""
    if len(text) > LARGEST_TEXT or len(_WHITE_SPACE.sub("", text)) > LARGEST[kind]:
        raise MalformedPolicy(f"The policy is longer than {LARGEST[kind]} characters.")
    document = _json_object(text)
    _only(document, _DOCUMENT_ELEMENTS)
    version = document.get("Version", "2008-10-17")
    if version not in VERSIONS:
        raise MalformedPolicy("The policy must contain a valid version string")
    if not isinstance(document.get("Id", ""), str):
        raise MalformedPolicy(SYNTAX)
    if "Statement" not in document:
        raise MalformedPolicy("Missing required field Statement")
    listed = document["Statement"]
    statements = tuple(_statement(each, kind) for each in (listed if isinstance(listed, list) else [listed]))
    if not statements:
        raise MalformedPolicy("Missing required field Statement")
    sids = [statement.sid for statement in statements if statement.sid]
    if len(sids) != len(set(sids)):
        raise MalformedPolicy("Statement IDs (SID) in a single policy must be unique.")
    return RawDocument(version, statements)


def _json_object(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text, object_pairs_hook=_distinct, parse_int=str, parse_float=str, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise MalformedPolicy(SYNTAX) from None
    if not isinstance(document, dict):
        raise MalformedPolicy(SYNTAX)
    return document


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a key is there twice")
    return members


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _only(members: Mapping[str, object], known: set[str]) -> None:
    unknown = [name for name in members if name not in known]
    if unknown:
        raise MalformedPolicy(f"Unknown field {unknown[0][:128]}")


def _statement(statement: object, kind: PolicyKind) -> RawStatement:
    if not isinstance(statement, dict):
        raise MalformedPolicy(SYNTAX)
    _only(statement, _STATEMENT_ELEMENTS)
    effect = statement.get("Effect")
    if effect is None:
        raise MalformedPolicy("Missing required field Effect")
    if effect not in ("Allow", "Deny"):
        raise MalformedPolicy(f"Invalid effect: {str(effect)[:128]}")
    principals, not_principals = _principals(statement, kind, allows=effect == "Allow")
    actions, not_actions = _one_of(statement, "Action", "NotAction")
    if not actions and not not_actions:
        raise MalformedPolicy("Policy statement must contain actions.")
    resources, not_resources = _resources(statement, kind)
    return RawStatement(
        sid=_sid(statement.get("Sid", ""), kind),
        allows=effect == "Allow",
        principals=principals,
        not_principals=not_principals,
        actions=actions,
        not_actions=not_actions,
        resources=resources,
        not_resources=not_resources,
        conditions=_conditions(statement.get("Condition", {})),
    )


def _sid(sid: object, kind: PolicyKind) -> str:
    if not isinstance(sid, str):
        raise MalformedPolicy(SYNTAX)
    if kind is not PolicyKind.RESOURCE and _SID.fullmatch(sid) is None:
        raise MalformedPolicy(
            "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"
        )
    return sid


def _resources(statement: Mapping[str, object], kind: PolicyKind) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
    if kind is PolicyKind.TRUST:
        for name in ("Resource", "NotResource"):
            if name in statement:
                raise MalformedPolicy(f"Has prohibited field {name}")
        return None, None
    resources, not_resources = _one_of(statement, "Resource", "NotResource")
    if (
        not resources
        and not not_resources
        and (kind is not PolicyKind.RESOURCE or "Resource" in statement or "NotResource" in statement)
    ):
        raise MalformedPolicy("Policy statement must contain resources.")
    return resources, not_resources


def _one_of(statement: Mapping[str, object], name: str, negated: str) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
    if name in statement and negated in statement:
        raise MalformedPolicy(SYNTAX)
    return (
        _texts(statement[name]) if name in statement else None,
        _texts(statement[negated]) if negated in statement else None,
    )


def _texts(value: object) -> tuple[str, ...]:
    listed = value if isinstance(value, list) else [value]
    if not all(isinstance(each, str) for each in listed):
        raise MalformedPolicy(SYNTAX)
    return tuple(listed)


Entries = tuple[tuple[str, str], ...]


def _principals(statement: Mapping[str, object], kind: PolicyKind, *, allows: bool) -> tuple[Entries | None, Entries | None]:
    present = [name for name in ("Principal", "NotPrincipal") if name in statement]
    if kind in (PolicyKind.IDENTITY, PolicyKind.BOUNDARY):
        if present:
            raise MalformedPolicy("Policy document should not specify a principal.")
        return None, None
    if not present:
        raise MalformedPolicy("Missing required field Principal")
    if len(present) > 1:
        raise MalformedPolicy(SYNTAX)
    entries = _principal_entries(statement[present[0]])
    if present == ["Principal"]:
        return entries, None
    if kind is PolicyKind.TRUST:
        raise MalformedPolicy("Has prohibited field NotPrincipal")
    if allows:  # AWS refuses it nearly everywhere: it would grant access to everyone else, unsigned callers included
        raise MalformedPolicy("Allow with NotPrincipal is not allowed.")
    return None, entries


def _principal_entries(value: object) -> Entries:
    if value == "*":
        return (("AWS", "*"),)
    if not isinstance(value, dict):
        raise MalformedPolicy(SYNTAX if not isinstance(value, str) else f"Invalid principal in policy: {value[:256]}")
    for kind in value:
        if kind not in KINDS:
            raise MalformedPolicy(f"Invalid principal in policy: unknown principal type {str(kind)[:128]}")
    entries = tuple((kind, name) for kind, names in value.items() for name in _texts(names))
    if not entries:
        raise MalformedPolicy("Missing required field Principal cannot be empty!")
    return entries


def _conditions(block: object) -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    if not isinstance(block, dict):
        raise MalformedPolicy(SYNTAX)
    found: list[tuple[str, str, tuple[str, ...]]] = []
    for operator, keys in block.items():
        if not isinstance(keys, dict):
            raise MalformedPolicy(SYNTAX)
        found.extend((operator, key, _condition_values(values)) for key, values in keys.items())
    return tuple(found)


def _condition_values(values: object) -> tuple[str, ...]:
    """Numbers come as their text already; JSON's true and false mean the same texts in quotes."""
    listed = values if isinstance(values, list) else [values]
    return _texts([{True: "true", False: "false"}[each] if isinstance(each, bool) else each for each in listed])
