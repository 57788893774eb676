"""A SearchExpression: from the request to a tree of conditions, and from the tree to an answer about one resource."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from modelyard.registry.search_condition import Between, Condition, Containing, OneOf, Present, Test
from modelyard.registry.search_property import values_at
from modelyard.registry.search_schema import PropertyType, Schema

MOST_PARTS = 50
"""AWS's limit of filters, nested filters and expressions in one search, counted through all levels."""
MOST_CONTAINS = 1


class SearchError(Exception):
    """A search that cannot be done; the text is for the client."""


@dataclass(frozen=True, slots=True)
class Nested:
    """Conditions that have to hold together for one element of a list; names are relative to the element."""

    path: str
    conditions: tuple[Condition, ...]

    def holds(self, elements: Sequence[Mapping[str, Any]]) -> bool:
        """Whether one of the elements satisfies every condition."""
        return any(self._holds_for(element) for element in elements)

    def _holds_for(self, element: Mapping[str, Any]) -> bool:
        return all(condition.holds(values_at(element, condition.name)) for condition in self.conditions)

    @property
    def implied(self) -> tuple[Condition, ...]:
        """Conditions on the whole resource that are true wherever this one is."""
        return tuple(
            Condition(f"{self.path}.{condition.name}", condition.test) for condition in self.conditions if not condition.negated
        )


@dataclass(frozen=True, slots=True)
class All:
    """Every part is true."""

    parts: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Some:
    """At least one part is true."""

    parts: tuple["Expression", ...]


Expression = Condition | Nested | All | Some


class Subject(Protocol):
    """What is known of a resource."""

    def decide(self, condition: Condition) -> bool | None:
        """Whether the condition is true of it; None when that is not known."""
        ...

    def decide_nested(self, nested: Nested) -> bool | None:
        """Whether the nested conditions are true of it; None when that is not known."""
        ...


def decide(expression: Expression, subject: Subject) -> bool | None:
    """Whether the expression is true of a resource; None when what is known of it does not tell."""
    if isinstance(expression, Condition):
        return subject.decide(expression)
    if isinstance(expression, Nested):
        return subject.decide_nested(expression)
    decisive = isinstance(expression, Some)
    unknown = False
    for part in expression.parts:
        verdict = decide(part, subject)
        if verdict is decisive:
            return decisive
        unknown = unknown or verdict is None
    return None if unknown else not decisive


def conditions_of(expression: Expression) -> Iterator[Condition]:
    """Every condition in the expression, those inside lists by the names of the whole resource."""
    if isinstance(expression, Condition):
        yield expression
    elif isinstance(expression, Nested):
        yield from expression.implied
    else:
        for part in expression.parts:
            yield from conditions_of(part)


def parse(request: Mapping[str, Any], schema: Schema) -> Expression:
    """The expression that a valid request states. Raises SearchError when it makes no sense for the kind."""
    reader = _Reader(schema)
    expression = reader.expression(request)
    if reader.contains > MOST_CONTAINS:
        raise SearchError(f"'CONTAINS' operator usage limit of {MOST_CONTAINS} exceeded.")
    return expression


def unknown_property(name: str) -> SearchError:
    """The error for a property that the kind does not have."""
    return SearchError(f"Unknown property name: {name}")


class _Reader:
    """Reads one request, counting as it goes."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.parts = 0
        self.contains = 0

    def count(self) -> None:
        """Take note of one more part, before it is looked at: the limit also bounds how deep this reader goes."""
        self.parts += 1
        if self.parts > MOST_PARTS:
            raise SearchError(f"A search can have at most {MOST_PARTS} filters, nested filters and sub-expressions.")

    def expression(self, request: Mapping[str, Any]) -> Expression:
        """The expression at one level."""
        parts: list[Expression] = [self.filter(one) for one in request.get("Filters", ())]
        parts += [self.nested(one) for one in request.get("NestedFilters", ())]
        for one in request.get("SubExpressions", ()):
            self.count()
            parts.append(self.expression(one))
        if not parts:
            raise SearchError("A search expression needs at least one filter, nested filter or sub-expression.")
        if len(parts) == 1:
            return parts[0]
        return Some(tuple(parts)) if request.get("Operator") == "Or" else All(tuple(parts))

    def filter(self, request: Mapping[str, Any]) -> Expression:
        """One filter on the whole resource: one condition, or two on a property that may be a text or a number."""
        name, operator = request["Name"], request.get("Operator", "Equals")
        number = _decimal(request.get("Value", ""))
        condition = self.condition(request)
        if self.schema.type_of(name) is not PropertyType.ANY or number is None or operator not in ("Equals", "NotEquals"):
            return condition
        both = (condition, Condition(name, Between(number, number), negated=condition.negated))
        return All(both) if condition.negated else Some(both)

    def nested(self, request: Mapping[str, Any]) -> Nested:
        """Filters on the elements of a list."""
        self.count()
        path = request["NestedPropertyName"]
        if path not in self.schema.lists:
            raise unknown_property(path)
        return Nested(path, tuple(self.condition(one, path) for one in request["Filters"]))

    def condition(self, request: Mapping[str, Any], within: str = "") -> Condition:
        """One filter; `within` is the list whose elements it is about."""
        self.count()
        name = request["Name"]
        if within:
            # AWS's example names the whole path, from the resource; the path from the element is as clear.
            name = name.removeprefix(f"{within}.")
        type_ = self.schema.type_of(f"{within}.{name}" if within else name)
        if type_ is None:
            raise unknown_property(request["Name"])
        operator = request.get("Operator", "Equals")
        if operator in ("Exists", "NotExists"):
            return Condition(name, Present(), negated=operator == "NotExists")
        if "Value" not in request:
            raise SearchError(f"A filter with the operator {operator} needs a value: {request['Name']}")
        self.contains += operator == "Contains"
        return Condition(name, _TESTS[type_](name, operator, request["Value"]), negated=operator == "NotEquals")


def _text_test(name: str, operator: str, text: str) -> Test:
    if operator in ("Equals", "NotEquals"):
        return OneOf(frozenset((text,)))
    if operator == "Contains":
        return Containing(text)
    if operator == "In":
        return OneOf(frozenset(part.strip() for part in text.split(",")))
    raise _unsupported(name, operator, PropertyType.TEXT)


def _boolean_test(name: str, operator: str, text: str) -> Test:
    if operator not in ("Equals", "NotEquals"):
        raise _unsupported(name, operator, PropertyType.BOOLEAN)
    if text.lower() not in ("true", "false"):
        raise SearchError(f"The property {name} is a boolean: its value must be true or false, not {text}.")
    return OneOf(frozenset((text.lower(),)))


def _any_test(name: str, operator: str, text: str) -> Test:
    return _number_test(name, operator, text) if operator in _COMPARISONS else _text_test(name, operator, text)


def _number_test(name: str, operator: str, text: str) -> Test:
    compare = _comparison(name, operator, PropertyType.NUMBER)
    number = _decimal(text)
    if number is None:
        raise SearchError(f"The property {name} is a number: its value must be an integer or a decimal, not {text}.")
    return compare(number) if compare else Between(number, number)


def _time_test(name: str, operator: str, text: str) -> Test:
    compare = _comparison(name, operator, PropertyType.TIME)
    moment = _moment(text)
    if moment is None:
        raise SearchError(f"The property {name} is a timestamp: its value must be like 2024-05-31T23:59:59, not {text}.")
    if compare:
        return compare(moment)
    # AWS's form has whole seconds; resources have milliseconds. A whole second stands for all of it.
    return Between(moment, moment + 1, with_high=False) if moment.is_integer() else Between(moment, moment)


def _comparison(name: str, operator: str, type_: PropertyType) -> Callable[[float], Test] | None:
    """How an operator compares with a number; None for equality, which each type has its own way with."""
    if operator in ("Equals", "NotEquals"):
        return None
    if operator not in _COMPARISONS:
        raise _unsupported(name, operator, type_)
    return _COMPARISONS[operator]


def _moment(text: str) -> float | None:
    """Epoch seconds of an ISO 8601 time (UTC unless it says otherwise) or of a number of seconds; None for anything else."""
    number = _decimal(text)
    if number is not None:
        return number
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _decimal(text: str) -> float | None:
    """A finite decimal number, or None."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and "_" not in text else None


def _unsupported(name: str, operator: str, type_: PropertyType) -> SearchError:
    return SearchError(f"The operator {operator} is not supported for {type_} properties: {name}")


_COMPARISONS: Mapping[str, Callable[[float], Test]] = {
    "GreaterThan": lambda bound: Between(low=bound, with_low=False),
    "GreaterThanOrEqualTo": lambda bound: Between(low=bound),
    "LessThan": lambda bound: Between(high=bound, with_high=False),
    "LessThanOrEqualTo": lambda bound: Between(high=bound),
}
_TESTS: Mapping[PropertyType, Callable[[str, str, str], Test]] = {
    PropertyType.TEXT: _text_test,
    PropertyType.BOOLEAN: _boolean_test,
    PropertyType.NUMBER: _number_test,
    PropertyType.TIME: _time_test,
    PropertyType.ANY: _any_test,
}
