"""Finds the operation of a REST service from method, path, query string and headers."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import unquote_to_bytes

from modelyard.aws.models import ServiceModel
from modelyard.aws.protocols.scalars import SerializationException

_LABEL = re.compile(r"\{([^}+]+)(\+?)\}")


@dataclass(frozen=True, slots=True)
class _Candidate:
    """One operation on a path, and what tells it from the others there."""

    operation: str
    literals: Mapping[str, str]
    """Query fields that its address always has, such as `uploads` or `list-type=2`; empty where any value will do."""
    query: frozenset[str]
    """Query fields of required members."""
    headers: frozenset[str]
    """Headers of required members, names in lower case."""


class RestRoutes:
    """The routes of one service."""

    def __init__(self, model: ServiceModel) -> None:
        self._model = model

    def match(
        self, method: str, raw_path: str, query: Mapping[str, list[str]], headers: Mapping[str, str]
    ) -> tuple[str, dict[str, str]] | None:
        """The operation's name and the labels of the path; None when there is no such operation."""
        for template, candidates in self._routes.get(method, ()):
            found = template.fullmatch(raw_path)
            if found is None:
                continue
            operation = _choose(candidates, query, headers)
            if operation is not None:
                return operation, {name: _decoded(value) for name, value in zip(_names(template), found.groups(), strict=True)}
        return None

    @cached_property
    def _routes(self) -> Mapping[str, list[tuple[re.Pattern[str], list[_Candidate]]]]:
        """By method: templates, those with fewer labels first, each with its operations, the most demanding first."""
        templates: dict[tuple[str, str], list[_Candidate]] = {}
        for name, definition in self._model.operations.items():
            if definition.get("deprecated") and self._model.service.name == "s3":
                continue  # the old notification and lifecycle operations share their address with the new ones
            path, _, literals = definition["http"]["requestUri"].partition("?")
            candidate = self._candidate(name, definition, literals)
            templates.setdefault((definition["http"]["method"], path.rstrip("/") or "/"), []).append(candidate)
        routes: dict[str, list[tuple[re.Pattern[str], list[_Candidate]]]] = {}
        for (method, path), candidates in sorted(templates.items(), key=lambda item: _generality(item[0][1])):
            candidates.sort(key=lambda one: (-len(one.literals), -len(one.query) - len(one.headers)))
            routes.setdefault(method, []).append((_compile(path), candidates))
        return routes

    def _candidate(self, name: str, definition: Mapping[str, Mapping[str, str]], literals: str) -> _Candidate:
        query, headers = set(), set()
        if "input" in definition:
            shape = self._model.shape(definition["input"])
            required = shape.traits.get("required", ())
            for member_name, member in self._model.members(shape):
                if member_name in required and member.traits.get("location") == "querystring":
                    query.add(member.location_name or member_name)
                if member_name in required and member.traits.get("location") == "header":
                    headers.add((member.location_name or member_name).lower())
        fields = (field.partition("=") for field in literals.split("&") if field)
        return _Candidate(name, {field: value for field, _, value in fields}, frozenset(query), frozenset(headers))


def _choose(candidates: list[_Candidate], query: Mapping[str, list[str]], headers: Mapping[str, str]) -> str | None:
    """The most demanding operation whose demands are met; else, of those on this address, the least demanding."""
    here = [one for one in candidates if one.literals.keys() <= query.keys() and _has_values(one.literals, query)]
    for one in here:
        if one.query <= query.keys() and one.headers <= headers.keys():
            return one.operation
    if not here:
        return None
    most_literals = [one for one in here if len(one.literals) == len(here[0].literals)]
    return most_literals[-1].operation


def _has_values(literals: Mapping[str, str], query: Mapping[str, list[str]]) -> bool:
    return not literals or all(not value or value in query[name] for name, value in literals.items())


def _generality(path: str) -> tuple[bool, int, int]:
    """Sorts templates: literal segments win over labels, and greedy labels come last."""
    return ("+}" in path, path.count("{"), -path.count("/"))


def _compile(path: str) -> re.Pattern[str]:
    pattern, end = "", 0
    for number, label in enumerate(_LABEL.finditer(path)):
        pattern += re.escape(path[end : label.start()])
        pattern += f"(?P<l{number}_{label[1].encode().hex()}>{'.+' if label[2] else '[^/]+'})"
        end = label.end()
    pattern += re.escape(path[end:])
    return re.compile(pattern if path.endswith("+}") else f"{pattern.removesuffix('/')}/?", re.DOTALL)


def _names(template: re.Pattern[str]) -> list[str]:
    return [bytes.fromhex(group.partition("_")[2]).decode() for group in template.groupindex]


def _decoded(text: str) -> str:
    try:
        decoded = unquote_to_bytes(text).decode() if "%" in text else text
    except UnicodeDecodeError:
        raise SerializationException("The path is not UTF-8") from None
    if "\0" in decoded:
        raise SerializationException("The path holds a NUL character")
    return decoded
