"""The Condition element: operators of IAM, compiled once into functions of a request.

What AWS documents: several values of a key are alternatives (for a negated operator: none of them may match); several keys and
operators must all hold; a missing key fails a condition, except that it satisfies a negated operator, `…IfExists` and
`ForAllValues`, and fails `ForAnyValue`.

What AWS leaves open is decided so that access fails closed: an Allow statement then does not match and a Deny statement does.
That is so when the value in the request cannot be read (a number that is none), when a key has several values and the operator no
set prefix (all must satisfy an Allow, any one a Deny), and for `ForAnyValue` with `IfExists` and no key.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from modelyard.access.conditions_keys import KeyValue, ReadKey, RequestContext, key_reader
from modelyard.access.conditions_tests import TESTS, MalformedValue, Test

Condition = Callable[[RequestContext], bool]

FOR_ANY = "ForAnyValue:"
FOR_ALL = "ForAllValues:"
IF_EXISTS = "IfExists"


class MalformedCondition(ValueError):
    """An operator that IAM does not have, or a value that its operator cannot use; says which."""


@dataclass(frozen=True, slots=True)
class _Comparison:
    """One operator on one key: everything that evaluation needs."""

    read: ReadKey
    test: Test
    negated: bool
    if_exists: bool
    denies: bool

    def satisfies(self, value: str, context: RequestContext) -> bool:
        """Whether one value of the request satisfies the operator."""
        try:
            return self.test(value, context) is not self.negated
        except ValueError:  # what the request says is not of the operator's type
            return self.denies

    def plain(self) -> Condition:
        """Without a set prefix."""
        read, satisfies, test, wanted, denies = self.read, self.satisfies, self.test, not self.negated, self.denies
        without_key = self.negated or self.if_exists
        of_several = any if self.denies else all

        def condition(context: RequestContext) -> bool:
            value = read(context)
            if value is None:
                return without_key
            if value.__class__ is str:  # nearly always: `satisfies`, without the call
                try:
                    return test(value, context) is wanted
                except ValueError:
                    return denies
            return of_several(satisfies(each, context) for each in value)

        return condition

    def for_any(self, context: RequestContext) -> bool:
        """ForAnyValue: at least one value of the request satisfies the operator."""
        values = _as_set(self.read(context))
        if not values:
            return self.if_exists and self.denies
        return any(self.satisfies(each, context) for each in values)

    def for_all(self, context: RequestContext) -> bool:
        """ForAllValues: every value of the request does, which is so when there are none."""
        return all(self.satisfies(each, context) for each in _as_set(self.read(context)))


def _as_set(value: KeyValue) -> tuple[str, ...]:
    """The values for a set operator, for which AWS counts an empty text as no value."""
    if value is None:
        return ()
    return tuple(each for each in (value if isinstance(value, tuple) else (value,)) if each)


def compile_condition(operator: str, key: str, values: Sequence[str], *, variables: bool, denies: bool) -> Condition:
    """The function that evaluates one operator on one key.

    `variables` is true for documents of Version 2012-10-17, `denies` in a Deny statement. Raises MalformedCondition.
    """
    prefix = next((each for each in (FOR_ANY, FOR_ALL) if operator.startswith(each)), "")
    name = operator.removeprefix(prefix)
    if not values:
        raise MalformedCondition(f"Condition {operator} on {key} has no values.")
    if ":" not in key:
        raise MalformedCondition("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
    if name == "Null":
        return _null(key, values)
    if_exists = name.endswith(IF_EXISTS)
    entry = TESTS.get(name.removesuffix(IF_EXISTS))
    if entry is None:
        raise MalformedCondition(f"Invalid Condition type : {operator}.")
    negated, make_test = entry
    try:
        test = make_test(tuple(values), variables)
    except MalformedValue as error:
        raise MalformedCondition(f"Invalid value for condition {operator} on {key}: {error}.") from None
    comparison = _Comparison(key_reader(key), test, negated, if_exists, denies)
    if prefix == FOR_ANY:
        return comparison.for_any
    return comparison.for_all if prefix == FOR_ALL else comparison.plain()


def _null(key: str, values: Sequence[str]) -> Condition:
    wanted = {value.lower() for value in values}
    if not wanted <= {"true", "false"}:
        raise MalformedCondition(f"Invalid value for condition Null on {key}: it is neither true nor false.")
    return partial(_is_null, key_reader(key), frozenset(value == "true" for value in wanted))


def _is_null(read: ReadKey, wanted: frozenset[bool], context: RequestContext) -> bool:
    return (read(context) is None) in wanted


def always(_context: RequestContext) -> bool:
    """What stands for a broken condition of a Deny statement."""
    return True


def never(_context: RequestContext) -> bool:
    """What stands for a broken condition of an Allow statement."""
    return False
