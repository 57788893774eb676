"""The SQL of functions, their versions and permissions; that of invocations and mappings is in store_events.py."""

from collections.abc import Mapping
from typing import Any

import orjson

from modelyard.dispatch import kept_blobs
from modelyard.functions.function import Version
from modelyard.functions.function_name import LATEST, FunctionName
from modelyard.storage.interface import Row, Transaction

kept_blobs.refers("lambda_version")

_VERSION = (
    "SELECT f.id, f.account, f.region, f.name, v.version, v.digest, v.document"
    " FROM lambda_function f JOIN lambda_version v ON v.function_id = f.id"
)


def _version(row: Row) -> Version:
    return Version(row[0], FunctionName(row[1], row[2], row[3], row[4]), row[5], orjson.loads(row[6]))


def _by_name(at: FunctionName) -> dict[str, object]:
    return {"account": at.account, "region": at.region, "name": at.name}


def version(tx: Transaction, at: FunctionName) -> Version | None:
    """The version that a name means."""
    row = tx.one(
        f"{_VERSION} WHERE f.account = :account AND f.region = :region AND f.name = :name AND v.version = :version",
        {**_by_name(at), "version": at.qualifier or LATEST},
    )
    return None if row is None else _version(row)


def version_of(tx: Transaction, function_id: int, qualifier: str) -> Version | None:
    """The version of a function by its number."""
    row = tx.one(f"{_VERSION} WHERE f.id = :id AND v.version = :version", {"id": function_id, "version": qualifier or LATEST})
    return None if row is None else _version(row)


def function_id(tx: Transaction, at: FunctionName) -> int | None:
    """The number of a function."""
    row = tx.one("SELECT id FROM lambda_function WHERE account = :account AND region = :region AND name = :name", _by_name(at))
    return None if row is None else int(row[0])


def latest_versions(tx: Transaction, account: str, region: str, after: str, most: int) -> list[Version]:
    """The functions of an account by name, as they are now."""
    rows = tx.all(
        f"{_VERSION} WHERE f.account = :account AND f.region = :region AND f.name > :after AND v.version = :version"
        " ORDER BY f.name LIMIT :most",
        {"account": account, "region": region, "after": after, "version": LATEST, "most": most},
    )
    return [_version(row) for row in rows]


def all_versions(tx: Transaction, account: str, region: str, after: tuple[str, int], most: int) -> list[tuple[Version, int]]:
    """Every version of every function by name and place."""
    rows = tx.all(
        f"{_VERSION.replace(' FROM', ', v.place FROM')} WHERE f.account = :account AND f.region = :region"
        " AND (f.name > :name OR (f.name = :name AND v.place > :place)) ORDER BY f.name, v.place LIMIT :most",
        {"account": account, "region": region, "name": after[0], "place": after[1], "most": most},
    )
    return [(_version(row[:7]), int(row[7])) for row in rows]


def versions_of(tx: Transaction, function: int, after: int, most: int) -> list[tuple[Version, int]]:
    """The versions of one function, `$LATEST` first, each with its place."""
    rows = tx.all(
        f"{_VERSION.replace(' FROM', ', v.place FROM')} WHERE f.id = :id AND v.place > :after ORDER BY v.place LIMIT :most",
        {"id": function, "after": after, "most": most},
    )
    return [(_version(row[:7]), int(row[7])) for row in rows]


def add(tx: Transaction, at: FunctionName, digest: str, document: Mapping[str, Any]) -> int:
    """Keep a new function; its number."""
    row = tx.one(
        "INSERT INTO lambda_function (account, region, name, next_version, policy_revision)"
        " VALUES (:account, :region, :name, 1, '') RETURNING id",
        _by_name(at),
    )
    assert row is not None
    _add_version(tx, int(row[0]), LATEST, 0, digest, document)
    return int(row[0])


def _add_version(tx: Transaction, function: int, name: str, place: int, digest: str, document: Mapping[str, Any]) -> None:
    tx.execute(
        "INSERT INTO lambda_version (function_id, version, place, digest, document)"
        " VALUES (:function, :version, :place, :digest, :document)",
        {
            "function": function,
            "version": name,
            "place": place,
            "digest": digest,
            "document": orjson.dumps(document).decode(),
        },
    )


def change(tx: Transaction, version: Version, digest: str, document: Mapping[str, Any], now: float) -> None:
    """Keep another code or configuration of a version."""
    tx.execute(
        "UPDATE lambda_version SET digest = :digest, document = :document WHERE function_id = :function AND version = :version",
        {
            "function": version.function_id,
            "version": version.at.qualifier,
            "digest": digest,
            "document": orjson.dumps(document).decode(),
        },
    )
    if digest != version.digest:
        kept_blobs.release(tx, [version.digest], now)


def take_version(tx: Transaction, function: int) -> int:
    """The next number for a version; never given again."""
    row = tx.one(
        "UPDATE lambda_function SET next_version = next_version + 1 WHERE id = :id RETURNING next_version - 1", {"id": function}
    )
    assert row is not None
    return int(row[0])


def publish(tx: Transaction, latest: Version, number: int, document: Mapping[str, Any]) -> None:
    """Keep what runs now as a version."""
    _add_version(tx, latest.function_id, str(number), number, latest.digest, document)


def newest_published(tx: Transaction, function: int) -> Version | None:
    """The version that was published last and is still there."""
    row = tx.one(f"{_VERSION} WHERE f.id = :id AND v.place > 0 ORDER BY v.place DESC LIMIT 1", {"id": function})
    return None if row is None else _version(row)


def delete_version(tx: Transaction, version: Version, now: float) -> None:
    """Forget one version, with what is said of it alone."""
    where = {"function": version.function_id, "qualifier": version.at.qualifier}
    tx.execute("DELETE FROM lambda_version WHERE function_id = :function AND version = :qualifier", where)
    tx.execute("DELETE FROM lambda_permission WHERE function_id = :function AND qualifier = :qualifier", where)
    tx.execute("DELETE FROM lambda_invoke_config WHERE function_id = :function AND qualifier = :qualifier", where)
    kept_blobs.release(tx, [version.digest], now)


def delete(tx: Transaction, function: int, now: float) -> None:
    """Forget a function with all that belongs to it."""
    rows = tx.all("SELECT DISTINCT digest FROM lambda_version WHERE function_id = :id", {"id": function})
    for table in ("lambda_event", "lambda_invoke_config", "lambda_permission", "lambda_mapping", "lambda_version"):
        tx.execute(f"DELETE FROM {table} WHERE function_id = :id", {"id": function})
    tx.execute("DELETE FROM lambda_function WHERE id = :id", {"id": function})
    kept_blobs.release(tx, [digest for (digest,) in rows], now)


def statements(tx: Transaction, at: FunctionName) -> list[dict[str, Any]]:
    """The statements of the resource policy of a function, or of a version of it."""
    rows = tx.all(
        "SELECT p.statement FROM lambda_function f JOIN lambda_permission p ON p.function_id = f.id"
        " WHERE f.account = :account AND f.region = :region AND f.name = :name AND p.qualifier = :qualifier ORDER BY p.id",
        {**_by_name(at), "qualifier": at.qualifier},
    )
    return [orjson.loads(text) for (text,) in rows]


def policy(tx: Transaction, at: FunctionName) -> str | None:
    """The resource policy as a text."""
    found = statements(tx, at)
    return orjson.dumps({"Version": "2012-10-17", "Id": "default", "Statement": found}).decode() if found else None


def policy_revision(tx: Transaction, function: int) -> str:
    """What changes with the resource policy."""
    row = tx.one("SELECT policy_revision FROM lambda_function WHERE id = :id", {"id": function})
    return "" if row is None else str(row[0])


def add_statement(tx: Transaction, function: int, qualifier: str, statement: Mapping[str, Any], revision: str) -> bool:
    """Keep a statement; False when its id is taken."""
    added = tx.execute(
        "INSERT INTO lambda_permission (function_id, qualifier, statement_id, statement)"
        " VALUES (:function, :qualifier, :id, :statement) ON CONFLICT (function_id, qualifier, statement_id) DO NOTHING",
        {
            "function": function,
            "qualifier": qualifier,
            "id": statement["Sid"],
            "statement": orjson.dumps(statement).decode(),
        },
    )
    _revise(tx, function, revision)
    return added == 1


def remove_statement(tx: Transaction, function: int, qualifier: str, statement_id: str, revision: str) -> bool:
    """Forget a statement; False when there is none of that id."""
    _revise(tx, function, revision)
    return (
        tx.execute(
            "DELETE FROM lambda_permission WHERE function_id = :function AND qualifier = :qualifier AND statement_id = :id",
            {"function": function, "qualifier": qualifier, "id": statement_id},
        )
        == 1
    )


def _revise(tx: Transaction, function: int, revision: str) -> None:
    tx.execute("UPDATE lambda_function SET policy_revision = :revision WHERE id = :id", {"id": function, "revision": revision})
