"""Checks requests against every constraint of the service model, and reports all that are broken, in AWS's words.

A shape is compiled once into a function that walks a value; members without constraints anywhere below them are not
looked at. Types are not checked here: whoever reads the request out of its wire format has done that.
"""

from collections.abc import Callable, Mapping
from typing import Any

from modelyard.aws.errors import AwsError, ValidationException
from modelyard.aws.models import ServiceModel, Shape
from modelyard.aws.patterns import Match, TooSlow, matcher
from modelyard.aws.protocols.xml_reader import MalformedXML
from modelyard.aws.violations import Violations

Validate = Callable[[Mapping[str, Any]], None]
Check = Callable[[Any, str, Violations], None]
"""Looks at a value that stands at a path, and notes what it breaks."""
IsValid = Callable[[Any], object]
"""Whether a scalar passes all its tests, by its truth."""
Test = tuple[Callable[[Any], object], str]
"""What a scalar has to pass, and the constraint in words."""

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
        error = self._errors(shape)

        def validate(request: Mapping[str, Any]) -> None:
            violations = Violations()
            try:
                check(request, "", violations)
            except TooSlow as slow:
                violations.add(slow.path or "", slow.text, _must_match(slow.pattern))
            if violations:
                raise error(violations)

        return validate

    def _errors(self, shape: Shape) -> Callable[[Violations], AwsError]:
        match self._model.service.name:
            case "s3":
                return _s3_errors(self._model, shape)
            case "sqs":
                return _sqs_error
            case "ecr":
                return _ecr_error
            case "logs":
                return lambda violations: AwsError(violations.message(), code="InvalidParameterException")
            case _:
                return _validation_exception

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
        tests: dict[str, IsValid] = {}
        checks: dict[str, tuple[str, Check]] = {}
        required = frozenset(shape.traits.get("required", ()))
        alternatives = [_lower_camel(name) for name, _ in self._model.members(shape)] if shape.traits.get("union") else []

        def check(value: Mapping[str, Any], path: str, violations: Violations) -> None:
            before = f"{path}." if path else ""
            if None in value.values():
                value = {name: item for name, item in value.items() if item is not None}
            if required and not value.keys() >= required:
                for name in shape.traits["required"]:
                    if name not in value:
                        violations.add(before + _lower_camel(name), None, _MUST_NOT_BE_NULL)
            if alternatives and len(value) != 1:
                violations.add(path, value, f"Member must have exactly one of the members: [{', '.join(alternatives)}]")
            name = ""
            try:
                for name, item in value.items():
                    is_valid = tests.get(name)
                    if is_valid is None or not is_valid(item):
                        member = checks.get(name)
                        if member is not None:
                            member[1](item, before + member[0], violations)
            except TooSlow as slow:
                slow.path = slow.path or before + _lower_camel(name)
                raise

        self._structures[shape.name] = check
        for name, member in self._model.members(shape):
            member_check = self._check(member)
            if member_check is not None:
                checks[name] = (_lower_camel(name), member_check)
                is_valid = _scalar_test(member)
                if is_valid is not None:
                    tests[name] = is_valid
        return check

    def _list(self, shape: Shape) -> Check:
        element = self._model.element(shape)
        tests = _own_tests(shape)
        element_is_valid = _scalar_test(element)
        within = None if element_is_valid is not None else self._check(element)
        sensitive = _is_sensitive(shape, element)

        def check(value: list[Any], path: str, violations: Violations) -> None:
            for passes, constraint in tests:
                if not passes(value):
                    violations.add(path, value, constraint, sensitive=sensitive)
            if element_is_valid is not None and not all(map(element_is_valid, value)):
                violations.add(path, value, f"Member must satisfy constraint: [{_words(element)}]", sensitive=sensitive)
            if within is not None:
                for number, item in enumerate(value, 1):
                    within(item, f"{path}.{number}.member", violations)

        return check

    def _map(self, shape: Shape) -> Check:
        key, value_shape = self._model.key_and_value(shape)
        tests = _own_tests(shape)
        key_is_valid = _scalar_test(key)
        value_is_valid = _scalar_test(value_shape)
        within = None if value_is_valid is not None else self._check(value_shape)
        sensitive = _is_sensitive(shape, key, value_shape)

        def check(value: dict[str, Any], path: str, violations: Violations) -> None:
            for passes, constraint in tests:
                if not passes(value):
                    violations.add(path, value, constraint, sensitive=sensitive)
            if key_is_valid is not None and not all(map(key_is_valid, value)):
                violations.add(path, value, f"Map keys must satisfy constraint: [{_words(key)}]", sensitive=sensitive)
            if value_is_valid is not None and not all(map(value_is_valid, value.values())):
                violations.add(path, value, f"Map value must satisfy constraint: [{_words(value_shape)}]", sensitive=sensitive)
            if within is not None:
                for name, item in value.items():
                    within(item, f"{path}.{name[:256]}.member", violations)

        return check


def _accept(_request: Mapping[str, Any]) -> None:
    """An operation without input."""


def _validation_exception(violations: Violations) -> AwsError:
    return ValidationException(violations.message())


def _ecr_error(violations: Violations) -> AwsError:
    """ECR has no ValidationException."""
    return AwsError(violations.message(), code="InvalidParameterException")


def _s3_errors(model: ServiceModel, shape: Shape) -> Callable[[Violations], AwsError]:
    """S3 has no ValidationException: what is wrong in a document makes it malformed, anything else is an argument."""
    in_body = {_lower_camel(name) for name, member in model.members(shape) if "location" not in member.traits}

    def error(violations: Violations) -> AwsError:
        if violations.members & in_body:
            return MalformedXML()
        if "storageClass" in violations.members:
            return AwsError("The storage class you specified is not valid", code="InvalidStorageClass")
        return AwsError(violations.message(), code="InvalidArgument")

    return error


def _sqs_error(violations: Violations) -> AwsError:
    """SQS has no ValidationException; all that is left in its model (models.py) to ask for is that parameters are there."""
    name = violations.first.rpartition(".")[2]
    return AwsError(f"The request must contain the parameter {name[:1].upper()}{name[1:]}.", code="MissingParameter")


def _lower_camel(name: str) -> str:
    return name[:1].lower() + name[1:]


def _is_sensitive(*shapes: Shape) -> bool:
    return any(shape.traits.get("sensitive") for shape in shapes)


def _scalar_check(shape: Shape) -> Check:
    """Tells which tests a scalar does not pass."""
    tests = _own_tests(shape)
    sensitive = _is_sensitive(shape)

    def check(value: Any, path: str, violations: Violations) -> None:
        for passes, constraint in tests:
            if not passes(value):
                violations.add(path, value, constraint, sensitive=sensitive)

    return check


def _all_of(shape: Shape, tests: list[Test]) -> IsValid:
    """All tests of a scalar as one function, which nearly every value passes."""
    if len(tests) == 1:
        return tests[0][0]
    pattern, enum = shape.traits.get("pattern"), shape.traits.get("enum")
    if shape.type == "string" and enum is None and "max" in shape.traits:
        least, most = shape.traits.get("min", 0), shape.traits["max"]
        matches = matcher(pattern, most) if pattern is not None else None
        if matches is None:
            return lambda value: least <= len(value) <= most
        return lambda value: least <= len(value) <= most and matches(value)
    return lambda value: all(passes(value) for passes, _ in tests)


def _words(shape: Shape) -> str:
    """All constraints of what a list or map holds; a length of at least 0, too, which cannot be broken."""
    words = [constraint for _, constraint in _own_tests(shape)]
    if shape.traits.get("min") == 0 and shape.type in ("string", "blob"):
        words.insert("max" in shape.traits, "Member must have length greater than or equal to 0")
    return ", ".join(words)


def _scalar_test(shape: Shape) -> IsValid | None:
    """The tests of a scalar as one; None for what has none, or has members or elements."""
    if shape.type in ("structure", "list", "map") or shape.is_document:
        return None
    tests = _own_tests(shape)
    return _all_of(shape, tests) if tests else None


def _own_tests(shape: Shape) -> list[Test]:
    """The constraints of a shape itself, in the order in which AWS names them."""
    match shape.type:
        case "string" | "blob" | "list" | "map":
            tests = _length_tests(shape) if not shape.traits.get("streaming") else []
        case "integer" | "long" | "float" | "double":
            tests = _range_tests(shape)
        case _:
            return []
    if "pattern" in shape.traits and shape.type == "string":
        pattern: str = shape.traits["pattern"]
        match_pattern = matcher(pattern)
        if match_pattern is not None:
            tests.append((_bounded(match_pattern, shape.traits.get("max")), _must_match(pattern)))
    if "enum" in shape.traits:
        allowed = shape.traits["enum"]
        tests.append((frozenset(allowed).__contains__, f"Member must satisfy enum value set: [{', '.join(allowed)}]"))
    return tests


def _must_match(pattern: str) -> str:
    return f"Member must satisfy regular expression pattern: {pattern}"


def _bounded(match_pattern: Match, most: int | None) -> Match:
    """A string far too long is not worth matching: its length is reported anyway."""
    if most is None:
        return match_pattern
    longest = max(1024, 2 * most)
    return lambda text: len(text) > longest or match_pattern(text)


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
