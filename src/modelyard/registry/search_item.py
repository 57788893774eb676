"""A resource in the index, and what can be said of it without its document, and with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import orjson

from modelyard.registry.search_condition import Condition
from modelyard.registry.search_expression import Nested
from modelyard.registry.search_property import CREATED, METRICS, MODIFIED, Properties, Value, is_digest, is_indexed, properties


@dataclass
class Item:
    """A row of the index. As a subject it knows what the index keeps: short texts and numbers, not long texts and not lists."""

    name_ids: Mapping[str, int]
    """Numbers of the property names that the search is about."""
    id: int
    key: str
    modified: float
    tags_json: str | None
    record: str

    @cached_property
    def tags(self) -> dict[str, str]:
        """The resource's tags."""
        return dict(orjson.loads(self.tags_json)) if self.tags_json else {}

    @cached_property
    def _lists(self) -> tuple[list[int], list[Value]]:
        ids, values = orjson.loads(self.record)
        return ids, values

    def values(self, name: str) -> Sequence[Value]:
        """The values of a property as the index keeps them."""
        if name == MODIFIED:
            return (self.modified,)
        name_id = self.name_ids.get(name)
        ids, values = self._lists
        if name_id is None or name_id not in ids:
            return ()
        start = ids.index(name_id)
        return values[start : start + ids.count(name_id)]

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

    def __init__(self, item: Item, document: Mapping[str, Any]) -> None:
        self.item = item
        self.document = document

    @cached_property
    def _properties(self) -> Properties:
        return properties(self.document, self.item.tags)

    def values(self, name: str) -> Sequence[Value]:
        """The values of a property."""
        if name in (MODIFIED, CREATED) or name.startswith(METRICS):
            return self.item.values(name)
        return self._properties.get(name, ())

    def decide(self, condition: Condition) -> bool:
        """Whether the condition is true."""
        return condition.holds(self.values(condition.name))

    def decide_nested(self, nested: Nested) -> bool:
        """Whether the conditions are true together of one element of the list."""
        return nested.holds(list(_elements(self.document, nested.path.split("."))))


def _elements(value: Any, path: Sequence[str]) -> Any:
    """The structures in the lists at a path."""
    if isinstance(value, list):
        for inner in value:
            yield from _elements(inner, path)
    elif isinstance(value, dict):
        if not path:
            yield value
        elif path[0] in value:
            yield from _elements(value[path[0]], path[1:])
