"""A resource in the index, and what can be said of it without its document, and with it."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from modelyard.registry.search_condition import Condition
from modelyard.registry.search_expression import Nested
from modelyard.registry.search_property import (
    CREATED,
    METRICS,
    MODIFIED,
    TAGS,
    Value,
    is_digest,
    is_indexed,
    structures_at,
    values_at,
)


class Item:
    """A row of the index. As a subject it knows what the index keeps: short texts and numbers, not long texts and not lists."""

    __slots__ = ("_ids", "_name_ids", "_record", "_tags", "_values", "id", "key", "modified")

    def __init__(self, name_ids: Mapping[str, int], id_: int, key: str, modified: float, tags: str | None, record: str) -> None:
        self.id = id_
        self.key = key
        self.modified = modified
        self._name_ids = name_ids
        self._tags = tags
        self._record = record
        self._ids: list[int] | None = None
        self._values: list[Value] = []

    @property
    def tags(self) -> dict[str, str]:
        """The resource's tags."""
        return dict(orjson.loads(self._tags)) if self._tags else {}

    def values(self, name: str) -> Sequence[Value]:
        """The values of a property as the index keeps them, when it is one of those that the search is about."""
        if name == MODIFIED:
            return (self.modified,)
        name_id = self._name_ids.get(name)
        if self._ids is None:
            self._ids, self._values = orjson.loads(self._record)
        if name_id is None or name_id not in self._ids:
            return ()
        start = self._ids.index(name_id)
        return self._values[start : start + self._ids.count(name_id)]

    def decide(self, condition: Condition) -> bool | None:
        """Whether the condition is true, as far as the index tells."""
        return condition.decide(self.values(condition.name)) if is_indexed(condition.name) else None

    def decide_nested(self, nested: Nested) -> bool | None:
        """False when some condition is true of no element at all; otherwise only the document tells."""
        return False if any(self.decide(condition) is False for condition in nested.implied) else None

    def sort_value(self, name: str, *, descending: bool) -> tuple[bool, Value | None]:
        """Whether the index tells by which value of a property the resource is sorted, and the value; None for no value."""
        if not is_indexed(name):
            return False, None
        values = self.values(name)
        return not any(map(is_digest, values)), sort_value(values, descending=descending)


def sort_value(values: Sequence[Value], *, descending: bool) -> Value | None:
    """Of several values a resource is sorted by the one that comes first; None when there is no value."""
    if not values:
        return None
    return max(values, key=_text_last) if descending else min(values, key=_text_last)


def _text_last(value: Value) -> tuple[bool, Value]:
    return isinstance(value, str), value


class Described:
    """A resource with its document: as a subject it knows everything."""

    __slots__ = ("_document", "_item")

    def __init__(self, item: Item, document: Mapping[str, Any]) -> None:
        self._item = item
        self._document = document

    def values(self, name: str) -> Sequence[Value]:
        """The values of a property."""
        if name in (MODIFIED, CREATED) or name.startswith(METRICS):
            return self._item.values(name)
        if name.startswith(TAGS):
            tag = self._item.tags.get(name.removeprefix(TAGS))
            return () if tag is None else (tag,)
        return values_at(self._document, name)

    def decide(self, condition: Condition) -> bool:
        """Whether the condition is true."""
        return condition.holds(self.values(condition.name))

    def decide_nested(self, nested: Nested) -> bool:
        """Whether the conditions are true together of one element of the list."""
        return nested.holds(structures_at(self._document, nested.path))
