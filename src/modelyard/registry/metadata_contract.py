"""Metadata contracts: a JSON Schema (draft 2020-12) that says what a version of a group has to bring.

A registration is checked as one document: the members of CreateModelPackage (with what SourceUri brought in), `metadata`, the
version's own JSON document, and `metrics`, the figures read from its metric files by name.

A schema comes from a client and runs in the writer, so everything that could make it run long is bounded: its size, its depth,
how large it is once its references are followed, the steps one check may take, and the time of one regular expression.
References lead only to places in the schema itself, and never back to where they came from.
"""

import contextvars
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import orjson
import regex

from modelyard.aws.backtracking import is_tame
from modelyard.aws.java_pattern import UNBOUNDED, Assertion, Group, Node, parse

if TYPE_CHECKING:
    from jsonschema import ValidationError
    from jsonschema.protocols import Validator

DRAFT = "https://json-schema.org/draft/2020-12/schema"
MOST_BYTES = 65_536
DEEPEST = 32
MOST_SUBSCHEMAS = 2000
"""Of a schema once every reference is followed."""
MOST_STEPS = 10_000
"""Keywords that one check may look at: some tenths of a second at worst."""
STEP_SECONDS = 2e-5
"""What regular expressions take counts as so many steps."""
PATTERN_SECONDS = 0.05
LONGEST_PATTERN = 512
LARGEST_PATTERN = 20_000
MOST_TOLD = 20
LONGEST_TOLD = 300

_UNUSABLE = ("$dynamicRef", "$recursiveRef", "$dynamicAnchor", "$anchor", "$vocabulary", "patternProperties")
"""Keywords that lead elsewhere; and one whose expressions the library matches without a limit (`propertyNames` does as well)."""
_steps: contextvars.ContextVar[list[int]] = contextvars.ContextVar("steps")

Json = Any


class MalformedContract(Exception):
    """A schema that cannot be a contract; the text is for the client."""


class TooMuchWork(Exception):
    """A check that would take longer than it may."""


def view(registration: Mapping[str, Any], metadata: Json, figures: Mapping[str, float]) -> dict[str, Any]:
    """What a contract is about: a registration as one document."""
    document = {member: value for member, value in registration.items() if member not in ("ClientToken", "Tags")}
    document["metrics"] = dict(figures)
    if metadata is not None:
        document["metadata"] = metadata
    return document


def check(text: str) -> None:
    """Raise MalformedContract for a schema that cannot be a contract."""
    if len(text.encode()) > MOST_BYTES:
        raise MalformedContract(f"The schema has more than {MOST_BYTES} bytes.")
    try:
        schema = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise MalformedContract(f"The schema is not JSON: {error}.") from None
    if not isinstance(schema, dict):
        raise MalformedContract("The schema must be a JSON object.")
    if schema.get("$schema", DRAFT).rstrip("#") != DRAFT:
        raise MalformedContract(f"The schema must be of draft 2020-12: leave $schema out, or let it be {DRAFT}.")
    _check_depth(schema)
    _check_references(schema)
    from jsonschema import Draft202012Validator, SchemaError

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise MalformedContract(f"The schema is not valid at {_place(error)}: {_shortened(error.message)}") from None


def violations(text: str, document: Json) -> list[str]:
    """What a document lacks or has wrong, a phrase for each; empty when it keeps to the contract. Raises TooMuchWork."""
    token = _steps.set([MOST_STEPS])
    try:
        found = sorted({phrase for error in _compiled(text).iter_errors(document) for phrase in _phrases(error)})
    except RecursionError:
        raise TooMuchWork("The document is nested too deeply for its contract.") from None
    finally:
        _steps.reset(token)
    if len(found) > MOST_TOLD:
        return [*found[:MOST_TOLD], f"and {len(found) - MOST_TOLD} more"]
    return found


@lru_cache(maxsize=256)
def _compiled(text: str) -> "Validator":
    validator: Validator = _validator_class()(orjson.loads(text))
    return validator


@cache
def _validator_class() -> Any:
    """The validator of the draft with every keyword counted, and without what takes more than linear time."""
    # Imported when the first contract is checked: most servers have none, and it takes a while.
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    keywords: dict[str, Any] = {**Draft202012Validator.VALIDATORS, "pattern": _pattern, "uniqueItems": _unique}
    counted = {name: _counted(keyword) for name, keyword in keywords.items()}
    return extend(Draft202012Validator, counted)  # type: ignore[no-untyped-call]


def _counted(keyword: Callable[..., Any]) -> Callable[..., Any]:
    def counted(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
        left = _steps.get()
        # A keyword may look at every element of what it is given.
        left[0] -= 1 + (len(instance) // 8 if isinstance(instance, list | dict) else 0)
        if left[0] < 0:
            raise TooMuchWork(f"To check this document against its contract takes more than {MOST_STEPS} steps.")
        yield from keyword(validator, value, instance, schema) or ()

    return counted


def _search(pattern: str, text: str) -> bool:
    left, began = _steps.get(), time.perf_counter()
    try:
        return regex.search(pattern, text, timeout=PATTERN_SECONDS) is not None
    except TimeoutError:
        raise TooMuchWork(f"The pattern {_shortened(pattern)} takes too long.") from None
    finally:
        left[0] -= int((time.perf_counter() - began) / STEP_SECONDS)


def _error(sentence: str) -> "ValidationError":
    from jsonschema import ValidationError

    return ValidationError(sentence)


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator["ValidationError"]:
    if isinstance(instance, str) and not _search(pattern, instance):
        yield _error(f"{_shortened(repr(instance))} does not match {pattern}")


def _unique(validator: Any, wanted: bool, instance: Any, schema: Any) -> Iterator["ValidationError"]:
    if wanted and isinstance(instance, list):
        texts = {orjson.dumps(item, option=orjson.OPT_SORT_KEYS) for item in instance}
        if len(texts) != len(instance):
            yield _error("it has the same element twice")


def _phrases(error: "ValidationError") -> Iterator[str]:
    """What an error says, for people: one phrase for each missing member, or what is wrong and where."""
    place = ".".join(str(part) for part in error.absolute_path)
    if error.validator == "required" and isinstance(error.instance, dict):
        names: list[str] = error.validator_value  # type: ignore[assignment]  # the schema was checked
        for name in names:
            if name not in error.instance:
                yield f"{place}.{name} is missing" if place else f"{name} is missing"
        return
    if error.validator in ("pattern", "type", "enum", "const", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"):
        yield f"{place or 'it'}: {_shortened(error.message)}"
    else:
        yield f"{place or 'it'} does not keep to `{error.validator}`: {_shortened(error.message)}"


def _place(error: Any) -> str:
    return "/" + "/".join(str(part) for part in error.absolute_path)


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_TOLD else f"{text[:LONGEST_TOLD]}…"


def _check_depth(schema: Json) -> None:
    level: list[Json] = [schema]
    for _ in range(DEEPEST):
        level = [
            inner
            for value in level
            for inner in (value.values() if isinstance(value, dict) else value)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return
    raise MalformedContract(f"The schema is nested more than {DEEPEST} levels deep.")


def _check_references(schema: dict[str, Any]) -> None:
    """Raise MalformedContract unless all references stay inside, lead to no circle, and do not blow the schema up."""
    sizes: dict[int, int] = {}
    open_: set[int] = set()

    def size(node: Json) -> int:
        """How many subschemas this is once its references are followed."""
        if not isinstance(node, dict | list):
            return 0
        key = id(node)
        if key in open_:
            raise MalformedContract("The schema refers back to itself: contracts cannot be recursive.")
        if key not in sizes:
            open_.add(key)
            inner = node.values() if isinstance(node, dict) else node
            sizes[key] = 1 + sum(size(one) for one in inner) + (size(_referred(schema, node)) if isinstance(node, dict) else 0)
            open_.discard(key)
            if sizes[key] > MOST_SUBSCHEMAS:
                raise MalformedContract(f"The schema has more than {MOST_SUBSCHEMAS} parts once its references are followed.")
        return sizes[key]

    size(schema)


def _referred(schema: dict[str, Any], node: dict[str, Any]) -> Json:
    """What a subschema refers to, None when it refers to nothing. Raises MalformedContract."""
    if "$id" in node and node is not schema and isinstance(node["$id"], str):
        raise MalformedContract("Only the whole schema may have an $id.")
    for keyword in _UNUSABLE:
        if keyword in node and isinstance(node[keyword], str | dict):
            raise MalformedContract(f"The keyword {keyword} cannot be used in a contract.")
    _check_pattern(node.get("pattern"))
    reference = node.get("$ref")
    if not isinstance(reference, str):
        return None
    if not reference.startswith("#/") or "%" in reference:
        raise MalformedContract(f"A reference leads into the schema itself, as #/$defs/name does, and not to {reference}.")
    found: Json = schema
    for part in reference[2:].split("/"):
        name = part.replace("~1", "/").replace("~0", "~")
        if not isinstance(found, dict) or name not in found:
            raise MalformedContract(f"The schema has no {reference}.")
        found = found[name]
    return found


def _check_pattern(pattern: Json) -> None:
    """Raise MalformedContract for a regular expression that is not one, or that could keep the writer busy."""
    if not isinstance(pattern, str):
        return
    if len(pattern) > LONGEST_PATTERN:
        raise MalformedContract(f"A pattern can have at most {LONGEST_PATTERN} characters.")
    try:
        tree = parse(pattern)
        if _written_out(tree) > LARGEST_PATTERN or not is_tame(tree):
            raise MalformedContract(f"The pattern {pattern} repeats what is repeated already, which can take very long to match.")
        regex.compile(pattern)
    except (ValueError, regex.error) as error:
        raise MalformedContract(f"{pattern} is not a regular expression that contracts take: {error}.") from None


def _written_out(node: Node) -> int:
    """How large an expression is with its bounded repetitions written out: a compiler may do just that."""
    if isinstance(node, Assertion):
        return 1
    times = node.least + 1 if node.most >= UNBOUNDED else node.most
    inner = sum(_written_out(one) for sequence in node.alternatives for one in sequence) if isinstance(node, Group) else 1
    return max(times, 1) * (inner + 1)
