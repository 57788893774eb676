"""All the SQL of groups and streams; that of events is in store_events.py."""

from collections.abc import Sequence

from modelyard.logs.log_group import GroupName, LogGroup, LogStream
from modelyard.storage.interface import Row, Transaction

LAST = "\U0010ffff"
"""Behind every character that a name may have."""
_GROUP = "SELECT id, account, region, name, created, retention, class, stored FROM log_group"
_STREAM = "SELECT id, name, created, first_event, last_event, last_ingestion FROM log_stream"


def _group(row: Row) -> LogGroup:
    return LogGroup(row[0], GroupName(row[1], row[2], row[3]), row[4], row[5], row[6], row[7])


def group(tx: Transaction, at: GroupName) -> LogGroup | None:
    """The group of that name."""
    row = tx.one(
        f"{_GROUP} WHERE account = :account AND region = :region AND name = :name",
        {"account": at.account, "region": at.region, "name": at.name},
    )
    return None if row is None else _group(row)


def groups(
    tx: Transaction, account: str, region: str, *, prefix: str, within: str, log_class: str | None, after: str, most: int
) -> list[LogGroup]:
    """Groups in order of names: those that begin with `prefix`, hold `within` in any case, and come after `after`."""
    rows = tx.all(
        f"{_GROUP} WHERE account = :account AND region = :region AND name > :after AND name >= :prefix AND name < :beyond"
        " AND lower(name) LIKE :pattern ESCAPE '!' AND (CAST(:class AS TEXT) IS NULL OR class = :class)"
        " ORDER BY name LIMIT :most",
        {
            "account": account,
            "region": region,
            "prefix": prefix,
            "beyond": prefix + LAST,
            "pattern": f"%{within.lower().replace('_', '!_')}%",
            "class": log_class,
            "after": after,
            "most": most,
        },
    )
    return [_group(row) for row in rows]


def with_retention(tx: Transaction, after: int, most: int) -> list[LogGroup]:
    """Groups of everybody that do not keep their events for ever, for the worker."""
    sql = f"{_GROUP} WHERE retention IS NOT NULL AND id > :after ORDER BY id LIMIT :most"
    return [_group(row) for row in tx.all(sql, {"after": after, "most": most})]


def add_group(tx: Transaction, at: GroupName, log_class: str, now: int) -> None:
    """Keep a new group."""
    tx.execute(
        "INSERT INTO log_group (account, region, name, created, class, stored)"
        " VALUES (:account, :region, :name, :now, :class, 0)",
        {"account": at.account, "region": at.region, "name": at.name, "now": now, "class": log_class},
    )


def set_retention(tx: Transaction, group_id: int, days: int | None) -> None:
    """Keep events for so many days, or for ever."""
    tx.execute("UPDATE log_group SET retention = :days WHERE id = :id", {"id": group_id, "days": days})


def add_stored(tx: Transaction, group_id: int, size: int) -> None:
    """Count bytes that came, or went when negative."""
    tx.execute("UPDATE log_group SET stored = stored + :size WHERE id = :id", {"id": group_id, "size": size})


def delete_group(tx: Transaction, group_id: int) -> None:
    """Forget a group; its streams and events are out of reach at once, and gone when the worker has been there."""
    tx.execute("DELETE FROM log_group WHERE id = :id", {"id": group_id})
    tx.execute("INSERT INTO log_remains (group_id) VALUES (:id)", {"id": group_id})


def _stream(row: Row) -> LogStream:
    return LogStream(*row)


def stream(tx: Transaction, group_id: int, name: str) -> LogStream | None:
    """The stream of that name."""
    row = tx.one(f"{_STREAM} WHERE group_id = :group_id AND name = :name", {"group_id": group_id, "name": name})
    return None if row is None else _stream(row)


def streams_by_name(
    tx: Transaction, group_id: int, *, prefix: str, after: str | None, descending: bool, most: int
) -> list[LogStream]:
    """Streams in order of names."""
    comparison, direction = ("<", " DESC") if descending else (">", "")
    rows = tx.all(
        f"{_STREAM} WHERE group_id = :group_id AND name >= :prefix AND name < :beyond"
        f" AND (CAST(:after AS TEXT) IS NULL OR name {comparison} :after) ORDER BY name{direction} LIMIT :most",
        {"group_id": group_id, "prefix": prefix, "beyond": prefix + LAST, "after": after, "most": most},
    )
    return [_stream(row) for row in rows]


def streams_by_last_event(
    tx: Transaction, group_id: int, *, after: tuple[int, str] | None, descending: bool, most: int
) -> list[LogStream]:
    """Streams in order of their last events."""
    comparison, direction = ("<", " DESC") if descending else (">", "")
    condition = "" if after is None else f" AND (last_event, name) {comparison} (:last_event, :name)"
    rows = tx.all(
        f"{_STREAM} WHERE group_id = :group_id{condition} ORDER BY last_event{direction}, name{direction} LIMIT :most",
        {"group_id": group_id, "most": most, **({} if after is None else {"last_event": after[0], "name": after[1]})},
    )
    return [_stream(row) for row in rows]


def stream_names(tx: Transaction, ids: Sequence[int]) -> dict[int, str]:
    """The names of streams by their numbers."""
    names: dict[int, str] = {}
    for number in ids:
        row = tx.one("SELECT name FROM log_stream WHERE id = :id", {"id": number})
        if row is not None:
            names[number] = row[0]
    return names


def add_stream(tx: Transaction, group_id: int, name: str, now: int) -> None:
    """Keep a new stream."""
    tx.execute(
        "INSERT INTO log_stream (group_id, name, created, first_event, last_event, last_ingestion)"
        " VALUES (:group_id, :name, :now, 0, 0, 0)",
        {"group_id": group_id, "name": name, "now": now},
    )


def note_events(tx: Transaction, stream_id: int, first: int, last: int, now: int) -> None:
    """Note that events of these times came to a stream."""
    tx.execute(
        "UPDATE log_stream SET first_event = CASE WHEN first_event = 0 OR first_event > :first THEN :first ELSE first_event END,"
        " last_event = CASE WHEN last_event < :last THEN :last ELSE last_event END, last_ingestion = :now WHERE id = :id",
        {"id": stream_id, "first": first, "last": last, "now": now},
    )


def delete_stream(tx: Transaction, stream_id: int) -> None:
    """Forget a stream; its events are out of reach of those who name it, and gone when the worker has been there."""
    tx.execute("DELETE FROM log_stream WHERE id = :id", {"id": stream_id})
    tx.execute("INSERT INTO log_remains (stream_id) VALUES (:id)", {"id": stream_id})
