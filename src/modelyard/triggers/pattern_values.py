"""The values of an event pattern: each stands for a test of one value of an event.

Sources: "Comparison operators for use in event patterns" of the EventBridge user guide, and what its open source matcher, Event
Ruler, does where the guide is silent: numbers are compared as numbers, and `anything-but` lets through values of other types.
"""

import ipaddress
from collections.abc import Callable, Sequence
from typing import Any

Test = Callable[[Any], bool]
"""Whether a text, number, boolean or null of an event passes."""

LARGEST_NUMBER = 5.0e9
"""EventBridge compares numbers between minus this and this, in `numeric`."""


class PatternError(ValueError):
    """A pattern is not valid; the text is the reason, in Event Ruler's words."""


def value_test(value: Any) -> Test:
    """The test of one element of a list of values, but for `exists`. Raises PatternError."""
    if isinstance(value, dict):
        return _operator(value)
    if isinstance(value, list):
        raise PatternError("Match value must be String, number, true, false, or null")
    return _equals(value)


def _operator(expression: dict[str, Any]) -> Test:
    if not expression:
        raise PatternError("Match expression name not found")
    if len(expression) > 1:
        raise PatternError("Only one key allowed in match expression")
    (name, operand), *_ = expression.items()
    if name not in _OPERATORS:
        raise PatternError(f"Unrecognized match type {name}")
    return _OPERATORS[name](operand)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _equals(wanted: Any) -> Test:
    if _is_number(wanted):
        return lambda value: _is_number(value) and value == wanted
    if isinstance(wanted, str):
        return lambda value: value == wanted
    return lambda value: value is wanted


def _text(operand: Any, name: str) -> str:
    if not isinstance(operand, str):
        raise PatternError(f"{name} match pattern must be a string")
    return operand


def _folded(operand: dict[str, Any], name: str) -> str:
    """The text of `{"equals-ignore-case": text}`, folded."""
    if list(operand) != ["equals-ignore-case"] or not isinstance(operand["equals-ignore-case"], str):
        raise PatternError(f"{name} match pattern must be a string or an equals-ignore-case expression")
    return operand["equals-ignore-case"].casefold()


def _prefix(operand: Any) -> Test:
    if isinstance(operand, dict):
        folded = _folded(operand, "prefix")
        return lambda value: isinstance(value, str) and value.casefold().startswith(folded)
    prefix = _text(operand, "prefix")
    return lambda value: isinstance(value, str) and value.startswith(prefix)


def _suffix(operand: Any) -> Test:
    if isinstance(operand, dict):
        folded = _folded(operand, "suffix")
        return lambda value: isinstance(value, str) and value.casefold().endswith(folded)
    suffix = _text(operand, "suffix")
    return lambda value: isinstance(value, str) and value.endswith(suffix)


def _equals_ignore_case(operand: Any) -> Test:
    folded = _text(operand, "equals-ignore-case").casefold()
    return lambda value: isinstance(value, str) and value.casefold() == folded


def _wildcard(operand: Any) -> Test:
    """`*` stands for any characters, `\\*` for a star. Takes time in proportion to the value: the leftmost place will do."""
    first, *others = _wildcard_pieces(_text(operand, "wildcard"))
    if not others:
        return lambda value: value == first
    *middle, last = others

    def matches(value: Any) -> bool:
        if not isinstance(value, str) or len(value) < len(first) + len(last):
            return False
        if not (value.startswith(first) and value.endswith(last)):
            return False
        place, end = len(first), len(value) - len(last)
        for piece in middle:
            found = value.find(piece, place, end)
            if found < 0:
                return False
            place = found + len(piece)
        return True

    return matches


def _wildcard_pieces(text: str) -> list[str]:
    pieces, current, place = [], "", 0
    while place < len(text):
        character = text[place]
        if character == "\\":
            place += 1
            if place == len(text) or text[place] not in "*\\":
                raise PatternError(f"Invalid escape character at pos {place - 1}")
            current += text[place]
        elif character == "*":
            if text[place + 1 : place + 2] == "*":
                raise PatternError(f"Consecutive wildcard characters at pos {place}")
            pieces.append(current)
            current = ""
        else:
            current += character
        place += 1
    return [*pieces, current]


_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "=": lambda value, bound: value == bound,
    "<": lambda value, bound: value < bound,
    "<=": lambda value, bound: value <= bound,
    ">": lambda value, bound: value > bound,
    ">=": lambda value, bound: value >= bound,
}


def _numeric(operand: Any) -> Test:
    if not isinstance(operand, list):
        raise PatternError("Value of numeric must be an array.")
    comparisons = [_comparison(operand[place : place + 2]) for place in range(0, len(operand), 2)]
    if not comparisons:
        raise PatternError("Invalid member in numeric match: ]")
    operators = [operator for operator, _ in comparisons]
    if len(comparisons) == 2:
        low, high = comparisons
        if low[0] not in (">", ">=") or high[0] not in ("<", "<="):
            raise PatternError(f"Bad numeric range operator: {high[0]}")
        if low[1] >= high[1]:
            raise PatternError("Bottom must be less than top")
    elif len(comparisons) > 2:
        raise PatternError("Too many terms in numeric range expression")
    tests = [(_COMPARISONS[operator], bound) for operator, (_, bound) in zip(operators, comparisons, strict=True)]
    return lambda value: _is_number(value) and all(test(value, bound) for test, bound in tests)


def _comparison(pair: Sequence[Any]) -> tuple[str, float]:
    operator = pair[0]
    if not isinstance(operator, str):
        raise PatternError(f"Invalid member in numeric match: {operator}")
    if operator not in _COMPARISONS:
        raise PatternError(f"Unrecognized numeric range operator: {operator}")
    if len(pair) < 2 or not _is_number(pair[1]):
        raise PatternError(f"Value of {'equals' if operator == '=' else operator} must be numeric")
    if not -LARGEST_NUMBER <= pair[1] <= LARGEST_NUMBER:
        raise PatternError(f"Value must be between {-LARGEST_NUMBER} and {LARGEST_NUMBER}, inclusive")
    return operator, pair[1]


def _cidr(operand: Any) -> Test:
    text = _text(operand, "cidr")
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise PatternError(f"Malformed CIDR: {text}") from None

    def matches(value: Any) -> bool:
        if not isinstance(value, str):
            return False
        try:
            return ipaddress.ip_address(value) in network
        except ValueError:
            return False

    return matches


def _anything_but(operand: Any) -> Test:
    if isinstance(operand, dict):
        return _none_of(_refused_by(operand))
    values = operand if isinstance(operand, list) else [operand]
    if not values:
        raise PatternError("Empty arrays are not allowed")
    if not all(isinstance(value, str) or _is_number(value) for value in values):
        raise PatternError("Value of anything-but must be an array or single string/number value.")
    if len({isinstance(value, str) for value in values}) > 1:
        raise PatternError("Inside anything but list, either all values are number or string, mixed type is not supported")
    return _none_of([_equals(value) for value in values])


_REFUSABLE: dict[str, Callable[[Any], Test]] = {
    "prefix": _prefix,
    "suffix": _suffix,
    "equals-ignore-case": _equals_ignore_case,
    "wildcard": _wildcard,
}


def _refused_by(expression: dict[str, Any]) -> list[Test]:
    if not expression:
        raise PatternError("Anything-But expression name not found")
    if len(expression) > 1:
        raise PatternError("Only one key allowed in match expression")
    ((name, operand),) = expression.items()
    if name not in _REFUSABLE:
        raise PatternError(f"Unsupported anything-but pattern: {name}")
    operands = operand if isinstance(operand, list) else [operand]
    if not operands:
        raise PatternError("Empty arrays are not allowed")
    if "" in operands:
        raise PatternError("Null prefix/suffix not allowed")
    return [_REFUSABLE[name](each) for each in operands]


def _none_of(tests: Sequence[Test]) -> Test:
    if len(tests) == 1:
        (test,) = tests
        return lambda value: not test(value)
    return lambda value: not any(test(value) for test in tests)


_OPERATORS: dict[str, Callable[[Any], Test]] = {
    "prefix": _prefix,
    "suffix": _suffix,
    "equals-ignore-case": _equals_ignore_case,
    "wildcard": _wildcard,
    "numeric": _numeric,
    "cidr": _cidr,
    "anything-but": _anything_but,
}
OPERATORS = frozenset(_OPERATORS) | {"exists"}
"""Everything that may stand in place of a value."""
