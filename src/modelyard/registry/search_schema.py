"""Which properties a kind of resource has, and of which type: worked out from the service model's shape of a search result."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from modelyard.aws.models import ServiceModel, Shape
from modelyard.registry.search_property import CREATED, METRICS, MODIFIED, TAGS


class PropertyType(StrEnum):
    """How the values of a property compare."""

    TEXT = "text"
    NUMBER = "number"
    TIME = "timestamp"
    BOOLEAN = "boolean"
    ANY = "any"
    """A text, a number or a boolean, as each resource has it."""


_TYPES = {
    "string": PropertyType.TEXT,
    "boolean": PropertyType.BOOLEAN,
    "timestamp": PropertyType.TIME,
    "integer": PropertyType.NUMBER,
    "long": PropertyType.NUMBER,
    "float": PropertyType.NUMBER,
    "double": PropertyType.NUMBER,
}


@dataclass(frozen=True, slots=True)
class Schema:
    """The properties of a kind."""

    types: Mapping[str, PropertyType]
    maps: Mapping[str, PropertyType]
    """Prefixes (`Tags.`) after which any name may follow."""
    lists: frozenset[str]
    """Paths whose values are lists of structures, which nested filters may name."""
    members: frozenset[str]
    """The members of a search result of this kind."""

    def type_of(self, name: str) -> PropertyType | None:
        """The type of a property, or None when the kind has no such property."""
        found = self.types.get(name)
        if found is not None:
            return found
        for prefix, type_ in self.maps.items():
            if name.startswith(prefix) and len(name) > len(prefix):
                return type_
        return None


def schema_of(model: ServiceModel, shape_name: str, more_maps: Mapping[str, PropertyType] = {}) -> Schema:
    """The schema of the kind whose search result has this shape of the service model, with maps that AWS does not have."""
    types = {MODIFIED: PropertyType.TIME, CREATED: PropertyType.TIME}
    maps = {TAGS: PropertyType.TEXT, METRICS: PropertyType.NUMBER, **more_maps}
    lists: set[str] = set()

    def walk(path: str, shape: Shape) -> None:
        if shape.type == "structure":
            for member, inner in model.members(shape):
                walk(f"{path}.{member}", inner)
        elif shape.type == "list":
            element = model.element(shape)
            if element.type == "structure":
                lists.add(path)
            walk(path, element)
        elif shape.type == "map":
            maps[f"{path}."] = _TYPES.get(model.key_and_value(shape)[1].type, PropertyType.TEXT)
        elif shape.type in _TYPES and not shape.traits.get("sensitive"):
            types[path] = _TYPES[shape.type]

    members = dict(model.members(model.shape({"shape": shape_name})))
    for member, inner in members.items():
        if member != "Tags":
            walk(member, inner)
    return Schema(types, maps, frozenset(lists), frozenset(members))
