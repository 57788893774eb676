"""All the SQL of the search index: what goes into it. `search_query` has what comes out."""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from modelyard.registry.search_property import Value, entries
from modelyard.storage.interface import Transaction

Entry = tuple[int, Value]
"""The number of a property's name, and a value in the form that the index keeps."""


def index(
    tx: Transaction,
    kind: str,
    account: str,
    region: str,
    key: str,
    document: Mapping[str, Any],
    tags: Mapping[str, str],
    *,
    created: float,
    modified: float,
    metrics: Mapping[str, float] = {},
) -> None:
    """Let Search find a resource as it now is; to be called whenever it was made or changed.

    `kind` is a value of the service model's ResourceType, `key` what the kind's loader knows the resource by, `document` what
    Describe answers, `metrics` figures by name (found as `Metrics.<name>`). Times are epoch seconds.
    """
    space_id = _space(tx, kind, account, region)
    wanted = entries(document, tags, metrics, created)
    name_ids = _name_ids(tx, space_id, {name for name, _ in wanted})
    now = {(name_ids[name], value) for name, value in wanted}
    row = {
        "space_id": space_id,
        "key": stored_key(key, account, region),
        "modified": modified,
        "tags": orjson.dumps(dict(tags)).decode() if tags else None,
        "record": _record(now),
    }
    item_id, before = _put_item(tx, row)
    _remove(tx, item_id, before - now)
    _add(tx, item_id, now - before)


def forget(tx: Transaction, kind: str, account: str, region: str, key: str) -> None:
    """Let Search no longer find a resource. Harmless when it was not indexed."""
    found = tx.one(
        "SELECT id, record FROM search_item WHERE space_id = :space_id AND resource_key = :key",
        {"space_id": find_space(tx, kind, account, region), "key": stored_key(key, account, region)},
    )
    if found is not None:
        _remove(tx, found[0], _entries(found[1]))
        tx.execute("DELETE FROM search_item WHERE id = :id", {"id": found[0]})


def find_space(tx: Transaction, kind: str, account: str, region: str) -> int | None:
    """The number of the space of a kind in an account and region; None while nothing was ever indexed there."""
    row = tx.one(
        "SELECT id FROM search_space WHERE account = :account AND region = :region AND kind = :kind",
        {"account": account, "region": region, "kind": kind},
    )
    return None if row is None else int(row[0])


def find_names(tx: Transaction, space_id: int | None, names: Iterable[str]) -> dict[str, int]:
    """The numbers of those property names that were ever indexed in a space."""
    parameters: dict[str, object] = {f"n{position}": name for position, name in enumerate(sorted(names))}
    if not parameters:
        return {}
    listed = ", ".join(f":{parameter}" for parameter in parameters)
    sql = f"SELECT name, id FROM search_name WHERE space_id = :space_id AND name IN ({listed})"  # noqa: S608  parameter names
    return dict(tx.all(sql, {"space_id": space_id, **parameters}))


def names_that_begin(tx: Transaction, space_id: int | None, start: str, limit: int) -> list[str]:
    """Names of properties that some resource of a space has, in order, at most `limit`."""
    rows = tx.all(
        "SELECT name FROM search_name WHERE space_id = :space_id AND name >= :start AND name < :end"
        " AND (EXISTS (SELECT 1 FROM search_text WHERE name_id = search_name.id)"
        " OR EXISTS (SELECT 1 FROM search_number WHERE name_id = search_name.id)) ORDER BY name LIMIT :limit",
        {"space_id": space_id, "start": start, "end": start + "\U0010ffff", "limit": limit},
    )
    return [row[0] for row in rows]


EXACT = 2.0**53
"""Whole numbers below are floats too; JSON writers take no integers of any size."""
_OWN = "~"
"""Stands for `arn:aws:sagemaker:REGION:ACCOUNT:` in a stored key: a space has one region and account."""


def stored_key(key: str, account: str, region: str) -> str:
    """A key as it is stored: the ARN of a resource without what all ARNs of the space share."""
    prefix = f"arn:aws:sagemaker:{region}:{account}:"
    return _OWN + key[len(prefix) :] if key.startswith(prefix) else key


def given_key(stored: str, account: str, region: str) -> str:
    """A key as it was given to `index`."""
    return f"arn:aws:sagemaker:{region}:{account}:{stored[1:]}" if stored.startswith(_OWN) else stored


def _space(tx: Transaction, kind: str, account: str, region: str) -> int:
    found = find_space(tx, kind, account, region)
    if found is None:
        tx.execute(
            "INSERT INTO search_space (account, region, kind) VALUES (:account, :region, :kind) ON CONFLICT DO NOTHING",
            {"account": account, "region": region, "kind": kind},
        )
        found = find_space(tx, kind, account, region)
    assert found is not None
    return found


def _name_ids(tx: Transaction, space_id: int, names: set[str]) -> dict[str, int]:
    """The numbers of property names; new names get one."""
    found = find_names(tx, space_id, names)
    missing = names - found.keys()
    if missing:
        tx.execute_many(
            "INSERT INTO search_name (space_id, name) VALUES (:space_id, :name) ON CONFLICT DO NOTHING",
            [{"space_id": space_id, "name": name} for name in sorted(missing)],
        )
        found.update(find_names(tx, space_id, missing))
    return found


def _record(kept: set[Entry]) -> str:
    """Entries as the JSON list of their names' numbers and the list of their values, side by side, the same names together."""
    ordered = sorted(kept, key=lambda entry: (entry[0], str(entry[1])))
    return orjson.dumps([[name_id for name_id, _ in ordered], [_shortened(value) for _, value in ordered]]).decode()


def _shortened(value: Value) -> Value:
    """A whole number without ".0": one of the many bytes that a million resources would have a million times."""
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < EXACT else value


def _entries(record: str) -> set[Entry]:
    name_ids, values = orjson.loads(record)
    return {(name_id, value if isinstance(value, str) else float(value)) for name_id, value in zip(name_ids, values, strict=True)}


def _put_item(tx: Transaction, row: Mapping[str, object]) -> tuple[int, set[Entry]]:
    """Write the row of a resource; its number, and the entries it had before."""
    before = tx.one("SELECT id, record FROM search_item WHERE space_id = :space_id AND resource_key = :key", row)
    if before is not None:
        tx.execute(
            "UPDATE search_item SET modified = :modified, tags = :tags, record = :record WHERE id = :id", {**row, "id": before[0]}
        )
        return int(before[0]), _entries(before[1])
    made = tx.one(
        "INSERT INTO search_item (space_id, resource_key, modified, tags, record)"
        " VALUES (:space_id, :key, :modified, :tags, :record) RETURNING id",
        row,
    )
    assert made is not None
    return int(made[0]), set()


ROWS = 50
"""Entries that one statement adds."""
_TABLES = {True: "search_text", False: "search_number"}


def _add(tx: Transaction, item_id: int, wanted: set[Entry]) -> None:
    for texts, table in _TABLES.items():
        chosen = _chosen(wanted, texts=texts)
        if tx.dialect == "sqlite":
            # Here a statement of many rows takes three times as long: SQLite keeps a journal of its own to be able to undo it.
            tx.execute_many(
                f"INSERT INTO {table} (name_id, value, item_id) VALUES (:name_id, :value, :item_id)",  # noqa: S608
                [{"name_id": name_id, "value": value, "item_id": item_id} for name_id, value in chosen],
            )
            continue
        for start in range(0, len(chosen), ROWS):
            _add_at_once(tx, table, item_id, chosen[start : start + ROWS])


def _add_at_once(tx: Transaction, table: str, item_id: int, chosen: list[Entry]) -> None:
    rows: list[str] = []
    parameters: dict[str, object] = {"item_id": item_id}
    for position, (name_id, value) in enumerate(chosen):
        rows.append(f"(:n{position}, :v{position}, :item_id)")
        parameters[f"n{position}"], parameters[f"v{position}"] = name_id, value
    tx.execute(f"INSERT INTO {table} (name_id, value, item_id) VALUES {', '.join(rows)}", parameters)  # noqa: S608


def _remove(tx: Transaction, item_id: int, gone: set[Entry]) -> None:
    for texts, table in _TABLES.items():
        for name_id, value in _chosen(gone, texts=texts):
            tx.execute(
                f"DELETE FROM {table} WHERE name_id = :name_id AND value = :value AND item_id = :item_id",  # noqa: S608
                {"name_id": name_id, "value": value, "item_id": item_id},
            )


def _chosen(given: set[Entry], *, texts: bool) -> list[Entry]:
    return sorted((entry for entry in given if isinstance(entry[1], str) is texts), key=lambda entry: entry[0])
