"""All the SQL of what a group asks of its versions and what the registry knows of them: rules, decisions, metadata, integrity."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

from modelyard.registry.model_package import PackageName
from modelyard.storage.interface import Row, Transaction

Document = dict[str, Any]


# Rules of a group


class Rule(StrEnum):
    """The kinds of rules."""

    APPROVAL = "approval"
    CONTRACT = "contract"


def put_rule(tx: Transaction, group_id: int, kind: Rule, document: Mapping[str, Any]) -> None:
    """Keep a rule in place of the one before."""
    tx.execute(
        "INSERT INTO group_rule (group_id, kind, document) VALUES (:group_id, :kind, :document)"
        " ON CONFLICT (group_id, kind) DO UPDATE SET document = excluded.document",
        {"group_id": group_id, "kind": kind.value, "document": orjson.dumps(document).decode()},
    )
    _count_rules(tx, group_id)


def delete_rule(tx: Transaction, group_id: int, kind: Rule) -> None:
    """Forget a rule."""
    tx.execute("DELETE FROM group_rule WHERE group_id = :group_id AND kind = :kind", {"group_id": group_id, "kind": kind.value})
    _count_rules(tx, group_id)


def _count_rules(tx: Transaction, group_id: int) -> None:
    tx.execute(
        "UPDATE model_package_group SET governed = (SELECT COUNT(*) FROM group_rule WHERE group_id = :id) WHERE id = :id",
        {"id": group_id},
    )


def rules(tx: Transaction, group_id: int) -> dict[Rule, Document]:
    """The rules of a group by kind."""
    rows = tx.all("SELECT kind, document FROM group_rule WHERE group_id = :group_id", {"group_id": group_id})
    return {Rule(kind): orjson.loads(document) for kind, document in rows}


# Decisions


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision on a version, or an approval that waits for others."""

    decided: float
    subject: str
    principal: str
    actor: str
    before: str | None
    after: str | None
    reason: str | None
    effective: bool
    counts: bool = False
    approvals: int | None = None
    required: int | None = None
    id: int = 0


_DECISION = (
    "SELECT decided, subject, principal, actor, state_before, state_after, reason, effective, counts, approvals, required, id"
    " FROM version_decision"
)


def add_decision(tx: Transaction, package_id: int, arn: str, made: Decision) -> None:
    """Keep a decision."""
    tx.execute(
        "INSERT INTO version_decision (package_id, arn, decided, subject, principal, actor, state_before, state_after, reason,"
        " effective, counts, approvals, required) VALUES (:package_id, :arn, :decided, :subject, :principal, :actor, :before,"
        " :after, :reason, :effective, :counts, :approvals, :required)",
        {
            "package_id": package_id,
            "arn": arn,
            "decided": made.decided,
            "subject": made.subject,
            "principal": made.principal,
            "actor": made.actor,
            "before": made.before,
            "after": made.after,
            "reason": made.reason,
            "effective": int(made.effective),
            "counts": int(made.counts),
            "approvals": made.approvals,
            "required": made.required,
        },
    )


def counting(tx: Transaction, package_id: int) -> list[Decision]:
    """Approvals that wait for others, in order."""
    return _decisions(tx, f"{_DECISION} WHERE package_id = :id AND counts = 1 ORDER BY id", {"id": package_id})


def stop_counting(tx: Transaction, package_id: int) -> None:
    """Let approvals no longer wait: the version was decided on, or is not what they were given for."""
    tx.execute("UPDATE version_decision SET counts = 0 WHERE package_id = :id AND counts = 1", {"id": package_id})


def actors(tx: Transaction, package_id: int, subject: str) -> set[str]:
    """Everyone who decided on a subject."""
    rows = tx.all(
        "SELECT DISTINCT actor FROM version_decision WHERE package_id = :id AND subject = :subject",
        {"id": package_id, "subject": subject},
    )
    return {actor for (actor,) in rows}


def decisions(tx: Transaction, arn: str, after: int, most: int, *, package_id: int | None, descending: bool) -> list[Decision]:
    """Decisions on a version that is there; without a row, on all that ever had that ARN."""
    which = "arn = :arn" if package_id is None else "package_id = :id"
    beyond = f" AND id {'<' if descending else '>'} :after" if after else ""
    order = " DESC" if descending else ""
    return _decisions(
        tx,
        f"{_DECISION} WHERE {which}{beyond} ORDER BY id{order} LIMIT :most",
        {"arn": arn, "id": package_id, "after": after, "most": most},
    )


def _decisions(tx: Transaction, sql: str, parameters: Mapping[str, object]) -> list[Decision]:
    return [_decision(row) for row in tx.all(sql, parameters)]


def _decision(row: Row) -> Decision:
    return Decision(
        decided=row[0],
        subject=row[1],
        principal=row[2],
        actor=row[3],
        before=row[4],
        after=row[5],
        reason=row[6],
        effective=bool(row[7]),
        counts=bool(row[8]),
        approvals=row[9],
        required=row[10],
        id=row[11],
    )


# Metadata


@dataclass(frozen=True, slots=True)
class Revision:
    """A revision of a version's metadata."""

    number: int
    created: float
    author: str
    document: str


def metadata(tx: Transaction, package_id: int, number: int) -> Revision | None:
    """A revision by its number."""
    row = tx.one(
        "SELECT revision, created, author, document FROM version_metadata WHERE package_id = :id AND revision = :number",
        {"id": package_id, "number": number},
    )
    return None if row is None else Revision(*row)


def searchable_metadata(tx: Transaction, package_id: int, number: int) -> Document:
    """What Search sees of the newest revision, whose number it is."""
    row = tx.one(
        "SELECT searchable FROM version_metadata WHERE package_id = :id AND revision = :number",
        {"id": package_id, "number": number},
    )
    return orjson.loads(row[0]) if row and row[0] else {}


def add_metadata(tx: Transaction, package_id: int, revision: Revision, searchable: Mapping[str, Any]) -> None:
    """Keep the next revision, which becomes the one that Search sees."""
    parameters = {"id": package_id, "number": revision.number}
    tx.execute("UPDATE version_metadata SET searchable = NULL WHERE package_id = :id AND revision = :number - 1", parameters)
    tx.execute(
        "INSERT INTO version_metadata (package_id, revision, created, author, document, searchable)"
        " VALUES (:id, :number, :created, :author, :document, :searchable)",
        {
            **parameters,
            "created": revision.created,
            "author": revision.author,
            "document": revision.document,
            "searchable": orjson.dumps(searchable).decode() if searchable else None,
        },
    )
    tx.execute("UPDATE model_package SET metadata_revision = :number WHERE id = :id", parameters)


def revisions(tx: Transaction, package_id: int, before: int, most: int) -> list[tuple[int, float, str, int]]:
    """Revisions below a number, the newest first: number, time, author, and the length of the document in characters."""
    return [
        (row[0], row[1], row[2], row[3])
        for row in tx.all(
            "SELECT revision, created, author, LENGTH(document) FROM version_metadata"
            " WHERE package_id = :id AND revision < :before ORDER BY revision DESC LIMIT :most",
            {"id": package_id, "before": before, "most": most},
        )
    ]


# Integrity


def put_integrity(tx: Transaction, package_id: int, records: list[Document], *, unhashed: bool) -> None:
    """Keep what was found of a version's artifacts."""
    tx.execute(
        "INSERT INTO version_integrity (package_id, unhashed, document) VALUES (:id, :unhashed, :document)"
        " ON CONFLICT (package_id) DO UPDATE SET unhashed = excluded.unhashed, document = excluded.document",
        {"id": package_id, "unhashed": int(unhashed), "document": orjson.dumps(records).decode()},
    )


def integrity(tx: Transaction, package_id: int) -> list[Document]:
    """What was found of a version's artifacts; nothing when nothing was looked up."""
    row = tx.one("SELECT document FROM version_integrity WHERE package_id = :id", {"id": package_id})
    return orjson.loads(row[0]) if row else []


def next_unhashed(tx: Transaction, after: int) -> int | None:
    """The next version that has something to be hashed."""
    row = tx.one(
        "SELECT package_id FROM version_integrity WHERE unhashed = 1 AND package_id > :after ORDER BY package_id LIMIT 1",
        {"after": after},
    )
    return None if row is None else int(row[0])


def integrity_after(tx: Transaction, package_id: int, most: int) -> list[tuple[int, PackageName, list[Document]]]:
    """What was found of versions from one on, in order of their rows, for `verify`: row, name, records."""
    rows = tx.all(
        "SELECT i.package_id, p.account, p.region, p.folded, p.version, i.document FROM version_integrity AS i"
        " JOIN model_package AS p ON p.id = i.package_id WHERE i.package_id > :id ORDER BY i.package_id LIMIT :most",
        {"id": package_id, "most": most},
    )
    return [(row[0], PackageName(*row[1:5]), orjson.loads(row[5])) for row in rows]
