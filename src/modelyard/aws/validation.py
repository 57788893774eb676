"""Checks requests against every constraint of the service model, and reports all that are broken, in AWS's words.

A shape is compiled once into a function that walks a value; members without constraints anywhere below them are not
looked at. Types are not checked here: whoever reads the request out of its wire format has done that.
"""

from collections.abc import Callable, Mapping
from typing import Any

from modelyard.aws.errors import AwsError, ValidationException
from modelyard.aws.models import ServiceModel, Shape
from modelyard.aws.patterns import Match, matcher
from modelyard.aws.violations import Violations

Validate = Callable[[Mapping[str, Any]], None]
Check = Callable[[Any, str, Violations], None]
"""Looks at a value that stands at a path, and notes what it breaks."""
Test = tuple[Callable[[Any], bool], str]
"""What a scalar has to pass, and the constraint in words."""

LONGEST_MATCHED = 1 << 20
"""Strings beyond this are not matched against patterns; their length is reported."""
_MUST_NOT_BE_NULL = "Member must not be null"


class Validators:
    """Compiles the shapes of one service."""

    def __init__(self, model: ServiceModel) -> None:
        self._model = model
        self._structures: dict[str, Check] = {}
        self._constrained: dict[str, bool] = {}

    def validator(self, shape: Shape | None) -> Validate:
        """The function that raises the service's error for a request that breaks its model."""
        if shape is None:
            return _accept
        check = self._structure(shape)
        error = _s3_error if self._model.service.name == "s3" else ValidationException

        def validate(request: Mapping[str, Any]) -> None:
            violations = Violations()
            check(request, "", violations)
            if violations:
                raise error(violations.message())

        return validate

    def _check(self, shape: Shape) -> Check | None:
        """The check of a value of this shape; None where nothing can be wrong with it."""
        if shape.is_document or not self._is_constrained(shape, set()):
            return None
        match shape.type:
            case "structure":
                return self._structures.get(shape.name) or self._structure(shape)
            case "list":
                return self._list(shape)
            case "map":
                return self._map(shape)
            case _:
                return _scalar_check(shape)

    def _is_constrained(self, shape: Shape, seen: set[str]) -> bool:
        if shape.is_document or _own_tests(shape):
            return not shape.is_document
        match shape.type:
            case "structure":
                return self._is_structure_constrained(shape, seen)
            case "list":
                return self._is_constrained(self._model.element(shape), seen)
            case "map":
                return any(self._is_constrained(part, seen) for part in self._model.key_and_value(shape))
            case _:
                return False

    def _is_structure_constrained(self, shape: Shape, seen: set[str]) -> bool:
        """Whether anything in a structure is constrained; shapes may hold themselves."""
        if shape.name in self._constrained or shape.name in seen:
            return self._constrained.get(shape.name, False)
        outermost = not seen
        seen.add(shape.name)
        constrained = bool(shape.traits.get("required") or shape.traits.get("union")) or any(
            self._is_constrained(member, seen) for _, member in self._model.members(shape)
        )
        if constrained:
            self._constrained[shape.name] = True
        elif outermost:
            self._constrained.update((name, False) for name in seen)
        return constrained

    def _structure(self, shape: Shape) -> Check:
        checks: dict[str, tuple[str, Check]] = {}
        required: list[tuple[str, str]] = [(name, _lower_camel(name)) for name in shape.traits.get("required", ())]
        alternatives = [_lower_camel(name) for name, _ in self._model.members(shape)] if shape.traits.get("union") else []

        def check(value: Mapping[str, Any], path: str, violations: Violations) -> None:
            before = f"{path}." if path else ""
            for name, shown_name in required:
                if value.get(name) is None:
                    violations.add(f"{before}{shown_name}", None, _MUST_NOT_BE_NULL)
            if alternatives and len(value) != 1:
                violations.add(path, value, f"Member must have exactly one of the members: [{', '.join(alternatives)}]")
            for name, item in value.items():
                found = checks.get(name)
                if found is not None and item is not None:
                    found[1](item, before + found[0], violations)

        self._structures[shape.name] = check
        for name, member in self._model.members(shape):
            member_check = self._check(member)
            if member_check is not None:
                checks[name] = (_lower_camel(name), member_check)
        return check

    def _list(self, shape: Shape) -> Check:
        element = self._model.element(shape)
        tests = _own_tests(shape)
        element_tests = _scalar_tests(element)
        within = self._check(element) if element_tests is None else None
        sensitive = _is_sensitive(shape, element)

        def check(value: list[Any], path: str, violations: Violations) -> None:
            for passes, constraint in tests:
                if not passes(value):
                    violations.add(path, value, constraint, sensitive=sensitive)
            if element_tests and not _all_pass(value, element_tests):
                violations.add(path, value, f"Member must satisfy constraint: [{_words(element)}]", sensitive=sensitive)
            if within is not None:
                for number, item in enumerate(value, 1):
                    within(item, f"{path}.{number}.member", violations)

        return check

    def _map(self, shape: Shape) -> Check:
        key, value_shape = self._model.key_and_value(shape)
        tests = _own_tests(shape)
        key_tests = _scalar_tests(key) or []
        value_tests = _scalar_tests(value_shape)
        within = self._check(value_shape) if value_tests is None else None
        sensitive = _is_sensitive(shape, key, value_shape)

        def check(value: dict[str, Any], path: str, violations: Violations) -> None:
            for passes, constraint in tests:
                if not passes(value):
                    violations.add(path, value, constraint, sensitive=sensitive)
            if key_tests and not _all_pass(value, key_tests):
                violations.add(path, value, f"Map keys must satisfy constraint: [{_words(key)}]", sensitive=sensitive)
            if value_tests and not _all_pass(value.values(), value_tests):
                violations.add(path, value, f"Map value must satisfy constraint: [{_words(value_shape)}]", sensitive=sensitive)
            if within is not None:
                for name, item in value.items():
                    within(item, f"{path}.{name[:256]}.member", violations)

        return check


def _accept(_request: Mapping[str, Any]) -> None:
    """An operation without input."""


def _s3_error(message: str) -> AwsError:
    return AwsError(message, code="InvalidArgument")


def _lower_camel(name: str) -> str:
    return name[:1].lower() + name[1:]


def _is_sensitive(*shapes: Shape) -> bool:
    return any(shape.traits.get("sensitive") for shape in shapes)


def _scalar_check(shape: Shape) -> Check:
    tests = _own_tests(shape)
    sensitive = _is_sensitive(shape)
    if len(tests) == 1:
        ((passes, constraint),) = tests

        def check_one(value: Any, path: str, violations: Violations) -> None:
            if not passes(value):
                violations.add(path, value, constraint, sensitive=sensitive)

        return check_one

    def check(value: Any, path: str, violations: Violations) -> None:
        for passes, constraint in tests:
            if not passes(value):
                violations.add(path, value, constraint, sensitive=sensitive)

    return check


def _all_pass(values: Any, tests: list[Test]) -> bool:
    return all(passes(value) for value in values for passes, _ in tests)


def _words(shape: Shape) -> str:
    """All constraints of what a list or map holds; a length of at least 0, too, which cannot be broken."""
    words = [constraint for _, constraint in _own_tests(shape)]
    if shape.traits.get("min") == 0 and shape.type in ("string", "blob"):
        words.insert("max" in shape.traits, "Member must have length greater than or equal to 0")
    return ", ".join(words)


def _scalar_tests(shape: Shape) -> list[Test] | None:
    """The tests of a scalar; None for what has members or elements."""
    return None if shape.type in ("structure", "list", "map") or shape.is_document else _own_tests(shape)


def _own_tests(shape: Shape) -> list[Test]:
    """The constraints of a shape itself, in the order in which AWS names them."""
    match shape.type:
        case "string" | "blob" | "list" | "map":
            tests = _length_tests(shape) if not shape.traits.get("streaming") else []
        case "integer" | "long" | "float" | "double":
            tests = _range_tests(shape)
        case _:
            return []
    pattern = shape.traits.get("pattern")
    match_pattern = matcher(pattern) if pattern is not None and shape.type == "string" else None
    if match_pattern is not None:
        tests.append((_bounded(match_pattern, shape.traits), f"Member must satisfy regular expression pattern: {pattern}"))
    if "enum" in shape.traits:
        allowed = shape.traits["enum"]
        tests.append((frozenset(allowed).__contains__, f"Member must satisfy enum value set: [{', '.join(allowed)}]"))
    return tests


def _bounded(match_pattern: Match, traits: Mapping[str, Any]) -> Match:
    """A string far too long is not worth matching: its length is reported anyway."""
    longest = max(1024, 4 * traits["max"]) if "max" in traits else LONGEST_MATCHED
    if longest <= 4096:
        return lambda text: len(text) > longest or match_pattern(text)
    return match_pattern


def _length_tests(shape: Shape) -> list[Test]:
    tests: list[Test] = []
    least, most = shape.traits.get("min"), shape.traits.get("max")
    if most is not None:
        tests.append((lambda value: len(value) <= most, f"Member must have length less than or equal to {most}"))
    if least:
        tests.append((lambda value: len(value) >= least, f"Member must have length greater than or equal to {least}"))
    return tests


def _range_tests(shape: Shape) -> list[Test]:
    tests: list[Test] = []
    least, most = shape.traits.get("min"), shape.traits.get("max")
    if most is not None:
        tests.append((lambda value: value <= most, f"Member must have value less than or equal to {most}"))
    if least is not None:
        tests.append((lambda value: value >= least, f"Member must have value greater than or equal to {least}"))
    return tests
