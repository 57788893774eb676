"""All the SQL of groups and packages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from modelyard.registry.group import Group, GroupName
from modelyard.registry.model_package import Package, PackageName, summary
from modelyard.storage.interface import Row, Transaction

Parameters = dict[str, Any]
NAMES_AT_ONCE = 250


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list: after which key, in which order, how many rows."""

    after: list[Any] | None
    descending: bool
    size: int

    def condition(self, *columns: str) -> tuple[str, Parameters]:
        """The keyset condition over `columns`, which are the sort order, and its parameters."""
        if self.after is None:
            return "", {}
        names = [f"after_{position}" for position in range(len(columns))]
        comparison = "<" if self.descending else ">"
        text = f" AND ({', '.join(columns)}) {comparison} ({', '.join(':' + name for name in names)})"
        return text, dict(zip(names, self.after, strict=True))

    def order(self, *columns: str) -> str:
        """The ORDER BY and LIMIT; one row more than the page tells whether another page follows."""
        direction = " DESC" if self.descending else ""
        return f" ORDER BY {', '.join(column + direction for column in columns)} LIMIT {self.size + 1}"


# Groups

_GROUP = "SELECT id, account, region, name, created, next_version, policy, document, governed FROM model_package_group"


def _group(row: Row) -> Group:
    return Group(
        id=row[0],
        at=GroupName(row[1], row[2], row[3]),
        created=row[4],
        next_version=row[5],
        policy=row[6],
        document=orjson.loads(row[7]),
        governed=bool(row[8]),
    )


def group(tx: Transaction, at: GroupName) -> Group | None:
    """The group of that name, in any case."""
    row = tx.one(
        f"{_GROUP} WHERE account = :account AND region = :region AND folded = :folded",
        {"account": at.account, "region": at.region, "folded": at.folded},
    )
    return None if row is None else _group(row)


@dataclass(frozen=True, slots=True)
class GroupAccess:
    """What an access decision needs of a group."""

    name: str
    policy: str | None


def group_access(tx: Transaction, at: GroupName) -> GroupAccess | None:
    """The name as created and the policy of a group, for every decision on it or its versions."""
    row = tx.one(
        "SELECT name, policy FROM model_package_group WHERE account = :account AND region = :region AND folded = :folded",
        {"account": at.account, "region": at.region, "folded": at.folded},
    )
    return None if row is None else GroupAccess(*row)


def group_names(tx: Transaction, account: str, region: str, folded: Sequence[str]) -> dict[str, str]:
    """The names of groups as they were created, by the names they are looked up by."""
    found: dict[str, str] = {}
    for start in range(0, len(folded), NAMES_AT_ONCE):
        names = {f"n{position}": name for position, name in enumerate(folded[start : start + NAMES_AT_ONCE])}
        listed = ", ".join(f":{name}" for name in names)
        sql = (
            f"SELECT folded, name FROM model_package_group WHERE account = :account AND region = :region AND folded IN ({listed})"
        )
        found.update(tx.all(sql, {"account": account, "region": region, **names}))
    return found


def add_group(tx: Transaction, at: GroupName, document: Mapping[str, Any], now: float) -> None:
    """Keep a new group."""
    tx.execute(
        "INSERT INTO model_package_group (account, region, folded, name, created, next_version, last_created, document)"
        " VALUES (:account, :region, :folded, :name, :now, 1, :now, :document)",
        {
            "account": at.account,
            "region": at.region,
            "folded": at.folded,
            "name": at.name,
            "now": now,
            "document": _json(document),
        },
    )


def delete_group(tx: Transaction, group_id: int) -> None:
    """Forget a group that has no versions."""
    tx.execute("DELETE FROM model_package_group WHERE id = :id", {"id": group_id})


def has_versions(tx: Transaction, group_id: int) -> bool:
    """Whether any version of the group is left."""
    return tx.one("SELECT 1 FROM model_package WHERE group_id = :id LIMIT 1", {"id": group_id}) is not None


def set_policy(tx: Transaction, group_id: int, policy: str | None) -> None:
    """Keep the resource policy of a group as it was given, or remove it."""
    tx.execute("UPDATE model_package_group SET policy = :policy WHERE id = :id", {"id": group_id, "policy": policy})


def take_next_version(tx: Transaction, group_id: int, now: float) -> tuple[int, float]:
    """The next number of a group, and the time of its creation: `now`, or that of the newest version when that is later.

    It is taken in the transaction of the registration, so a failed one takes none.
    """
    row = tx.one(
        "UPDATE model_package_group SET next_version = next_version + 1,"
        " last_created = CASE WHEN last_created > :now THEN last_created ELSE :now END"
        " WHERE id = :id RETURNING next_version - 1, last_created",
        {"id": group_id, "now": now},
    )
    assert row is not None
    return int(row[0]), float(row[1])


def groups(tx: Transaction, account: str, region: str, filters: Mapping[str, Any], page: Page, *, by_name: bool) -> list[Group]:
    """Groups of an account in order of creation or name, at most `page.size` + 1."""
    sort = ("folded", "id") if by_name else ("created", "id")
    where, parameters = _created_between(filters)
    if "NameContains" in filters:
        where += " AND folded LIKE :contains"
        parameters["contains"] = f"%{filters['NameContains'].lower()}%"
    keyset, after = page.condition(*sort)
    return [
        _group(row)
        for row in tx.all(
            f"{_GROUP} WHERE account = :account AND region = :region{where}{keyset}{page.order(*sort)}",
            {"account": account, "region": region, **parameters, **after},
        )
    ]


def shared_groups(tx: Transaction, account: str, region: str) -> list[Group]:
    """Groups of other accounts that carry a policy: the ones that may be shared with `account`."""
    return [
        _group(row)
        for row in tx.all(
            f"{_GROUP} WHERE account <> :account AND region = :region AND policy IS NOT NULL ORDER BY id",
            {"account": account, "region": region},
        )
    ]


# Packages

_PACKAGE = (
    "SELECT id, account, region, folded, version, group_id, created, metrics, document, metadata_revision FROM model_package"
)


def _package(row: Row) -> Package:
    return Package(
        id=row[0],
        at=PackageName(row[1], row[2], row[3], row[4]),
        group_id=row[5],
        created=row[6],
        metrics=orjson.loads(row[7]) if row[7] else {},
        document=orjson.loads(row[8]),
        metadata_revision=row[9],
    )


# The plus keeps SQLite from looking at the number when it considers the index `WHERE version = 0`: it would prepare the
# statement anew for every call, which takes seven times as long as the look-up itself.
_AT = " WHERE account = :account AND region = :region AND folded = :folded AND version = +:version"


def _at(at: PackageName) -> Parameters:
    return {"account": at.account, "region": at.region, "folded": at.folded, "version": at.version}


def package(tx: Transaction, at: PackageName) -> Package | None:
    """The package of that name and version."""
    row = tx.one(_PACKAGE + _AT, _at(at))
    return None if row is None else _package(row)


def package_by_id(tx: Transaction, package_id: int) -> Package | None:
    """The package of that row."""
    row = tx.one(f"{_PACKAGE} WHERE id = :id", {"id": package_id})
    return None if row is None else _package(row)


def package_document(tx: Transaction, at: PackageName) -> str | None:
    """What Describe answers, as the JSON text that is stored."""
    row = tx.one(f"SELECT document FROM model_package{_AT}", _at(at))
    return None if row is None else str(row[0])


def add_package(
    tx: Transaction, at: PackageName, group_id: int | None, document: Mapping[str, Any], metrics: Mapping[str, float]
) -> int:
    """Keep a new package; its row's number."""
    row = tx.one(
        "INSERT INTO model_package (account, region, folded, version, group_id, approval, created, modified, metrics, document)"
        " VALUES (:account, :region, :folded, :version, :group_id, :approval, :created, :created, :metrics, :document)"
        " RETURNING id",
        {
            **_at(at),
            "group_id": group_id,
            "approval": document.get("ModelApprovalStatus"),
            "created": document["CreationTime"],
            "metrics": _json(metrics) if metrics else None,
            "document": _json(document),
        },
    )
    assert row is not None
    return int(row[0])


def update_package(tx: Transaction, package_id: int, document: Mapping[str, Any]) -> None:
    """Keep what has become of a package."""
    tx.execute(
        "UPDATE model_package SET approval = :approval, modified = :modified, document = :document WHERE id = :id",
        {
            "id": package_id,
            "approval": document.get("ModelApprovalStatus"),
            "modified": document["LastModifiedTime"],
            "document": _json(document),
        },
    )


def delete_package(tx: Transaction, package_id: int) -> None:
    """Forget a package. Its number stays taken: the group's counter is not touched."""
    tx.execute("DELETE FROM model_package WHERE id = :id", {"id": package_id})


@dataclass(frozen=True, slots=True)
class Listed:
    """A package as a list has it."""

    id: int
    folded: str
    version: int
    created: float
    summary: Mapping[str, Any]


_LISTED = "SELECT id, folded, version, created, document FROM model_package"


def _listed(row: Row) -> Listed:
    # A document is let go of before the next one is read: a list holds a hundred of them, and shows a third of each.
    return Listed(row[0], row[1], row[2], row[3], summary(orjson.loads(row[4])))


def versions(tx: Transaction, group_id: int, filters: Mapping[str, Any], page: Page) -> list[Listed]:
    """Versions of a group in order of creation, at most `page.size` + 1."""
    where, parameters = _created_between(filters)
    if "ModelApprovalStatus" in filters:
        where += " AND approval = :approval"
        parameters["approval"] = filters["ModelApprovalStatus"]
    keyset, after = page.condition("created", "version")
    rows = tx.all(
        f"{_LISTED} WHERE group_id = :group_id{where}{keyset}{page.order('created', 'version')}",
        {"group_id": group_id, **parameters, **after},
    )
    return [_listed(row) for row in rows]


def packages(
    tx: Transaction, account: str, region: str, filters: Mapping[str, Any], page: Page, *, by_name: bool
) -> list[Listed]:
    """Packages of an account, versioned, unversioned or both, in order of creation or name, at most `page.size` + 1."""
    sort = ("folded", "version") if by_name else ("created", "id")
    where, parameters = _created_between(filters)
    where += {"Unversioned": " AND version = 0", "Versioned": " AND version > 0", "Both": ""}[
        filters.get("ModelPackageType", "Unversioned")
    ]
    if "ModelApprovalStatus" in filters:
        where += " AND approval = :approval"
        parameters["approval"] = filters["ModelApprovalStatus"]
    if "NameContains" in filters:
        where += " AND folded LIKE :contains"
        parameters["contains"] = f"%{filters['NameContains'].lower()}%"
    keyset, after = page.condition(*sort)
    rows = tx.all(
        f"{_LISTED} WHERE account = :account AND region = :region{where}{keyset}{page.order(*sort)}",
        {"account": account, "region": region, **parameters, **after},
    )
    return [_listed(row) for row in rows]


def _created_between(filters: Mapping[str, Any]) -> tuple[str, Parameters]:
    where, parameters = "", {}
    if "CreationTimeAfter" in filters:
        where += " AND created > :created_after"
        parameters["created_after"] = filters["CreationTimeAfter"]
    if "CreationTimeBefore" in filters:
        where += " AND created < :created_before"
        parameters["created_before"] = filters["CreationTimeBefore"]
    return where, parameters


def _json(document: Mapping[str, Any]) -> str:
    return orjson.dumps(document).decode()
