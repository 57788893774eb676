"""All the SQL that reads the search index."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modelyard.registry.search_condition import Between, Condition, Containing, OneOf
from modelyard.registry.search_item import Item
from modelyard.registry.search_plan import Access, Candidates
from modelyard.registry.search_property import AFTER_DIGESTS, MODIFIED, Value, kept
from modelyard.storage.interface import Row, Transaction

# S608: what is put together below are table names, operators and names of parameters, never a value.
# ruff: noqa: S608

_COLUMNS = "i.id, i.resource_key, i.modified, i.tags, i.record"
CHUNK = 500
"""Rows read at once by their numbers."""


@dataclass(frozen=True, slots=True)
class Space:
    """What one search looks at, and the numbers of the property names that it speaks of."""

    id: int | None
    name_ids: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Reach:
    """How far into an order to read: after which place, which way, how many rows."""

    after: Sequence[Value] | None
    descending: bool
    limit: int

    def keyset(self, *columns: str) -> str:
        """The condition that goes on after the place; a parameter for each column, named `after0`, `after1` …"""
        if self.after is None:
            return ""
        places = ", ".join(f":after{position}" for position in range(len(columns)))
        return f" AND ({', '.join(columns)}) {'<' if self.descending else '>'} ({places})"

    def order(self, *columns: str) -> str:
        """ORDER BY and LIMIT."""
        direction = " DESC" if self.descending else ""
        return f" ORDER BY {', '.join(column + direction for column in columns)} LIMIT :limit"

    @property
    def parameters(self) -> dict[str, object]:
        """The parameters of `keyset` and `order`."""
        return {"limit": self.limit, **{f"after{position}": value for position, value in enumerate(self.after or ())}}


class _Text:
    """A statement being put together: each value becomes a parameter with a name of its own."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self.parameters: dict[str, object] = {"space_id": space.id}

    def value(self, value: object) -> str:
        """A parameter for a value."""
        name = f"p{len(self.parameters)}"
        self.parameters[name] = value
        return f":{name}"

    def name(self, condition: Condition) -> str:
        """A parameter for the number of a condition's property; no number equals that of a name nobody has."""
        return self.value(self.space.name_ids.get(condition.name, -1))

    def entries(self, condition: Condition) -> str:
        """SELECT the item of every entry that passes a condition, or may."""
        test = condition.test
        if condition.name == MODIFIED:
            return f"SELECT id AS item_id FROM search_item WHERE space_id = :space_id{self._between('modified', test)}"
        name = self.name(condition)
        if isinstance(test, Between):
            return f"SELECT item_id FROM search_number WHERE name_id = {name}{self._between('value', test)}"
        if isinstance(test, OneOf):
            values = ", ".join(self.value(kept(text)) for text in sorted(test.texts))
            return f"SELECT item_id FROM search_text WHERE name_id = {name} AND value IN ({values})"
        if isinstance(test, Containing):
            # A long text may contain it for all the index knows.
            pattern, digests = self.value(_pattern(test.text)), self.value(AFTER_DIGESTS)
            passes = f"(value LIKE {pattern} ESCAPE '!' OR value < {digests})"
            return f"SELECT item_id FROM search_text WHERE name_id = {name} AND {passes}"
        return (
            f"SELECT item_id FROM search_text WHERE name_id = {name}"
            f" UNION ALL SELECT item_id FROM search_number WHERE name_id = {name}"
        )

    def _between(self, column: str, test: object) -> str:
        # With both bounds, always: open ends are tried later, on what is found.
        if not isinstance(test, Between):
            return ""
        return f" AND {column} >= {self.value(test.low)} AND {column} <= {self.value(test.high)}"

    def access(self, access: Access, most: int) -> str:
        """SELECT the items of one access, whose entries were counted: at most `most`."""
        # PostgreSQL, which cannot tell one property's values from another's, is told by the LIMIT.
        text = f"SELECT a.item_id FROM ({self.entries(access.condition)} LIMIT {most}) AS a"
        probes = [self.probe(condition, "a.item_id") for condition in access.also]
        return f"{text} WHERE {' AND '.join(probes)}" if probes else text

    def probe(self, condition: Condition, item_id: str) -> str:
        """Whether an item has the one text of a condition."""
        # OFFSET keeps PostgreSQL from turning the look-up of a few items into a join with all that have the text.
        assert isinstance(condition.test, OneOf)
        (text,) = condition.test.texts
        return (
            f"EXISTS (SELECT 1 FROM search_text AS b WHERE b.name_id = {self.name(condition)}"
            f" AND b.value = {self.value(kept(text))} AND b.item_id = {item_id} LIMIT 1 OFFSET 0)"
        )

    def candidates(self, found: Candidates) -> str:
        """SELECT the items of all accesses, each once."""
        # A power of two, so that there are few different statements to prepare.
        most = 1 << found.cost.bit_length()
        if len(found.accesses) == 1:
            return self.access(found.accesses[0], most).replace("SELECT", "SELECT DISTINCT", 1)
        return " UNION ".join(self.access(access, most) for access in found.accesses)


def _pattern(text: str) -> str:
    """The LIKE pattern of a text within another; `!` escapes."""
    for special in "!%_":
        text = text.replace(special, f"!{special}")
    return f"%{text}%"


def count(tx: Transaction, space: Space, condition: Condition, limit: int) -> int:
    """How many entries pass a condition, counted up to `limit`."""
    text = _Text(space)
    sql = f"SELECT count(*) FROM (SELECT 1 FROM ({text.entries(condition)}) AS a LIMIT :limit) AS b"
    row = tx.one(sql, {**text.parameters, "limit": limit})
    return int(row[0]) if row else 0


def by_modified(tx: Transaction, space: Space, reach: Reach) -> list[Item]:
    """All resources in order of modification."""
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM search_item AS i WHERE i.space_id = :space_id{reach.keyset('i.modified', 'i.id')}"
        f"{reach.order('i.modified', 'i.id')}",
        {"space_id": space.id, **reach.parameters},
    )
    return _items(space, rows)


def window(tx: Transaction, space: Space, reach: Reach) -> tuple[float, int] | None:
    """Modification and number of the last of the next `reach.limit` resources; None when there are not so many."""
    row = tx.one(
        f"SELECT i.modified, i.id FROM search_item AS i WHERE i.space_id = :space_id{reach.keyset('i.modified', 'i.id')}"
        f"{reach.order('i.modified', 'i.id')} OFFSET :offset",
        {"space_id": space.id, **reach.parameters, "limit": 1, "offset": reach.limit - 1},
    )
    return None if row is None else (row[0], row[1])


def in_window(
    tx: Transaction, space: Space, conditions: Sequence[Condition], reach: Reach, end: tuple[float, int] | None
) -> list[Item]:
    """Those resources of a window for which the conditions (lookups) may be true, in order of modification."""
    text = _Text(space)
    probes = "".join(f" AND {text.probe(condition, 'i.id')}" for condition in conditions)
    until = "" if end is None else f" AND (i.modified, i.id) {'>=' if reach.descending else '<='} (:end0, :end1)"
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM search_item AS i WHERE i.space_id = :space_id{reach.keyset('i.modified', 'i.id')}{until}{probes}"
        f"{reach.order('i.modified', 'i.id')}",
        {**text.parameters, **reach.parameters, **({} if end is None else {"end0": end[0], "end1": end[1]})},
    )
    return _items(space, rows)


def candidates_by_modified(tx: Transaction, space: Space, found: Candidates, reach: Reach) -> list[Item]:
    """Candidates in order of modification. Every call reads all of them."""
    text = _Text(space)
    # CROSS JOIN keeps SQLite from walking all resources in order and looking each up among the candidates.
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM ({text.candidates(found)}) AS c CROSS JOIN search_item AS i WHERE i.id = c.item_id"
        f"{reach.keyset('i.modified', 'i.id')}{reach.order('i.modified', 'i.id')}",
        {**text.parameters, **reach.parameters},
    )
    return _items(space, rows)


def by_value(tx: Transaction, space: Space, name: str, reach: Reach, *, texts: bool) -> list[tuple[Value, Item]]:
    """Resources in order of the values of a property; one with several values comes several times."""
    table = "search_text" if texts else "search_number"
    rows = tx.all(
        f"SELECT e.value, {_COLUMNS} FROM {table} AS e CROSS JOIN search_item AS i"
        f" WHERE e.name_id = :name_id AND i.id = e.item_id"
        f"{reach.keyset('e.value', 'e.item_id')}{reach.order('e.value', 'e.item_id')}",
        {"name_id": space.name_ids.get(name, -1), **reach.parameters},
    )
    return [(row[0], item) for row, item in zip(rows, _items(space, [row[1:] for row in rows]), strict=True)]


def without_value(tx: Transaction, space: Space, name: str, reach: Reach, *, texts: bool) -> list[Item]:
    """Resources that do not have a property, in order of modification."""
    table = "search_text" if texts else "search_number"
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM search_item AS i WHERE i.space_id = :space_id"
        f" AND i.id NOT IN (SELECT item_id FROM {table} WHERE name_id = :name_id)"
        f"{reach.keyset('i.modified', 'i.id')}{reach.order('i.modified', 'i.id')}",
        {"space_id": space.id, "name_id": space.name_ids.get(name, -1), **reach.parameters},
    )
    return _items(space, rows)


def has_digests(tx: Transaction, space: Space, name: str) -> bool:
    """Whether some text of a property is too long to be kept, so that the index does not know the order."""
    return (
        tx.one(
            "SELECT 1 FROM search_text WHERE name_id = :name_id AND value < :digests LIMIT 1",
            {"name_id": space.name_ids.get(name, -1), "digests": AFTER_DIGESTS},
        )
        is not None
    )


def each_candidate(tx: Transaction, space: Space, found: Candidates) -> Iterator[list[Item]]:
    """Every candidate, in no order that means anything, some at a time."""
    text = _Text(space)
    ids = [row[0] for row in tx.all(text.candidates(found), text.parameters)]
    for start in range(0, len(ids), CHUNK):
        chunk: dict[str, Any] = {f"i{position}": item_id for position, item_id in enumerate(ids[start : start + CHUNK])}
        listed = ", ".join(f":{parameter}" for parameter in chunk)
        yield _items(space, tx.all(f"SELECT {_COLUMNS} FROM search_item AS i WHERE i.id IN ({listed})", chunk))


def each(tx: Transaction, space: Space) -> Iterator[list[Item]]:
    """Every resource, some at a time."""
    after: Sequence[Value] | None = None
    while items := by_modified(tx, space, Reach(after, False, CHUNK)):
        yield items
        after = (items[-1].modified, items[-1].id)


def _items(space: Space, rows: Sequence[Row]) -> list[Item]:
    return [Item(space.name_ids, *row) for row in rows]
