"""What each condition operator compares: one value of a request against all values that the policy lists.

A test is true when any of the listed values matches; negation, sets of values and missing keys are the business of `conditions`.
A test raises ValueError when the value of the request is not of its type.
"""

import base64
import ipaddress
import operator
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from functools import lru_cache

from modelyard.access.conditions_keys import RequestContext, key_reader
from modelyard.access.policy_patterns import (
    MalformedArn,
    TextMatcher,
    arn_matcher,
    filled_glob_matcher,
    glob_matcher,
    merged,
    split_arn,
)
from modelyard.access.variables import MalformedVariable, Tokens, Variable, has_variables, tokens_of

Test = Callable[[str, RequestContext], bool]
MakeTest = Callable[[tuple[str, ...], bool], Test]


class MalformedValue(ValueError):
    """A value in a policy that its operator cannot use; says why."""


Fill = Callable[[RequestContext], Tokens | None]


def filler(tokens: Tokens) -> Fill:
    """A function that fills in the variables from a request; it gives None when one has no value.

    A key with several values cannot be written into a text, so it counts as having none.
    """
    readers = tuple((key_reader(token.key), token.default) if isinstance(token, Variable) else token for token in tokens)

    def fill(context: RequestContext) -> Tokens | None:
        filled = []
        for part in readers:
            if not isinstance(part, tuple):
                filled.append(part)
                continue
            value = part[0](context)
            text = value if isinstance(value, str) else part[1]
            if text is None:
                return None
            filled.append(text)
        return merged(tuple(filled))

    return fill


def _tokens(value: str, *, variables: bool, wildcards: bool) -> Tokens:
    try:
        return tokens_of(value, variables=variables, wildcards=wildcards)
    except MalformedVariable:
        raise MalformedValue("a variable is malformed") from None


def _strings(*, ignore_case: bool) -> MakeTest:
    fold = str.casefold if ignore_case else str

    def make(values: tuple[str, ...], variables: bool) -> Test:
        tokens = [_tokens(value, variables=variables, wildcards=False) for value in values]
        fixed = frozenset(fold("".join(str(token) for token in each)) for each in tokens if not has_variables(each))
        fills = tuple(filler(each) for each in tokens if has_variables(each))
        if not fills and not ignore_case:
            return lambda value, _context: value in fixed

        def test(value: str, context: RequestContext) -> bool:
            folded = fold(value)
            if folded in fixed:
                return True
            for fill in fills:
                filled = fill(context)
                if filled is not None and fold("".join(str(token) for token in filled)) == folded:
                    return True
            return False

        return test

    return make


def _patterns(values: tuple[str, ...], variables: bool, compile_fixed: Callable[[Tokens], TextMatcher]) -> Test:
    """A test that tries patterns, some of which a request has to fill in first."""
    tokens = [_tokens(value, variables=variables, wildcards=True) for value in values]
    fixed = tuple(compile_fixed(each) for each in tokens if not has_variables(each))
    fills = tuple(filler(each) for each in tokens if has_variables(each))
    compile_filled = filled_glob_matcher if compile_fixed is glob_matcher else lru_cache(maxsize=64)(compile_fixed)

    def test(value: str, context: RequestContext) -> bool:
        if any(matches(value) for matches in fixed):
            return True
        for fill in fills:
            filled = fill(context)
            if filled is not None and compile_filled(filled)(value):
                return True
        return False

    return test


def _like(values: tuple[str, ...], variables: bool) -> Test:
    return _patterns(values, variables, glob_matcher)


def _arns(values: tuple[str, ...], variables: bool) -> Test:
    for value in values:
        if value != "*":
            _check_arn_pattern(_tokens(value, variables=variables, wildcards=True))
    inner = _patterns(values, variables, _arn_or_nothing)
    return lambda value, context: value.startswith("arn:") and value.count(":") >= 5 and inner(value, context)


def _check_arn_pattern(tokens: Tokens) -> None:
    if len(tokens) == 1 and isinstance(tokens[0], Variable):
        return  # a variable that stands for a whole ARN: ${aws:PrincipalArn}
    placeholder: Tokens = tuple("x" if isinstance(token, Variable) else token for token in tokens)
    try:
        split_arn(merged(placeholder))
    except MalformedArn as error:
        raise MalformedValue(f"it is not the pattern of an ARN: {error}") from None


def _arn_or_nothing(tokens: Tokens) -> TextMatcher:
    try:
        return arn_matcher(tokens)
    except MalformedArn:
        return _nothing


def _nothing(_text: str) -> bool:
    return False


_NUMBER = re.compile(r"[+-]?(\d{1,40}(\.\d{0,40})?|\.\d{1,40})([eE][+-]?\d{1,3})?", re.ASCII)


def number_of(text: str) -> Decimal:
    """A number as policies write it. Raises ValueError."""
    if _NUMBER.fullmatch(text.strip()) is None:
        raise MalformedValue("it is not a number")
    return Decimal(text.strip())


_DATE = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:\d\d))?)?)?",
    re.ASCII,
)
_EPOCH = re.compile(r"-?\d{5,12}(\.\d{1,9})?|-?\d{1,3}(\.\d{1,9})?", re.ASCII)


@lru_cache(maxsize=1024)
def date_of(text: str) -> Decimal:
    """Epoch seconds of a W3C date (a year up to a fraction of a second) or of a number of seconds. Raises ValueError."""
    if _EPOCH.fullmatch(text):
        return Decimal(text)
    match = _DATE.fullmatch(text)
    if match is None:
        raise MalformedValue("it is not a date of ISO 8601 or a number of seconds")
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    try:
        moment = datetime(
            int(year), int(month or 1), int(day or 1), int(hour or 0), int(minute or 0), int(second or 0), tzinfo=_zone_of(zone)
        )
    except ValueError:
        raise MalformedValue("there is no such date") from None
    whole = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)
    return Decimal(whole) + Decimal(f"0.{fraction or 0}")


def _zone_of(text: str | None) -> timezone:
    if text in (None, "Z"):
        return UTC
    offset = timedelta(hours=int(text[1:3]), minutes=int(text[4:6]))
    return timezone(-offset if text[0] == "-" else offset)


def _ordered(read: Callable[[str], Decimal], compares: Callable[[Decimal, Decimal], bool]) -> MakeTest:
    def make(values: tuple[str, ...], _variables: bool) -> Test:
        limits = tuple(read(value) for value in values)

        def test(value: str, _context: RequestContext) -> bool:
            given = read(value)
            return any(compares(given, limit) for limit in limits)

        return test

    return make


def _truth_of(text: str) -> bool:
    folded = text.lower()
    if folded not in ("true", "false"):
        raise MalformedValue("it is neither true nor false")
    return folded == "true"


def _booleans(values: tuple[str, ...], _variables: bool) -> Test:
    wanted = frozenset(_truth_of(value) for value in values)
    return lambda value, _context: _truth_of(value) in wanted


def _bytes_of(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise MalformedValue("it is not base64") from None


def _binaries(values: tuple[str, ...], _variables: bool) -> Test:
    wanted = frozenset(_bytes_of(value) for value in values)
    return lambda value, _context: _bytes_of(value) in wanted


@lru_cache(maxsize=4096)
def address_of(text: str) -> tuple[int, int]:
    """The version (4 or 6) and number of an IP address; one of IPv4 written as IPv6 is one of IPv4. Raises ValueError."""
    address = ipaddress.ip_address(text.strip())
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.version, int(address)


def _addresses(values: tuple[str, ...], _variables: bool) -> Test:
    networks = tuple(_network_of(value) for value in values)

    def test(value: str, _context: RequestContext) -> bool:
        version, number = address_of(value)
        return any(version == of_version and low <= number <= high for of_version, low, high in networks)

    return test


def _network_of(text: str) -> tuple[int, int, int]:
    try:
        network = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        raise MalformedValue("it is not an IP address or a range of them in CIDR notation") from None
    return network.version, int(network.network_address), int(network.broadcast_address)


TESTS: dict[str, tuple[bool, MakeTest]] = {
    "StringEquals": (False, _strings(ignore_case=False)),
    "StringNotEquals": (True, _strings(ignore_case=False)),
    "StringEqualsIgnoreCase": (False, _strings(ignore_case=True)),
    "StringNotEqualsIgnoreCase": (True, _strings(ignore_case=True)),
    "StringLike": (False, _like),
    "StringNotLike": (True, _like),
    "NumericEquals": (False, _ordered(number_of, operator.eq)),
    "NumericNotEquals": (True, _ordered(number_of, operator.eq)),
    "NumericLessThan": (False, _ordered(number_of, operator.lt)),
    "NumericLessThanEquals": (False, _ordered(number_of, operator.le)),
    "NumericGreaterThan": (False, _ordered(number_of, operator.gt)),
    "NumericGreaterThanEquals": (False, _ordered(number_of, operator.ge)),
    "DateEquals": (False, _ordered(date_of, operator.eq)),
    "DateNotEquals": (True, _ordered(date_of, operator.eq)),
    "DateLessThan": (False, _ordered(date_of, operator.lt)),
    "DateLessThanEquals": (False, _ordered(date_of, operator.le)),
    "DateGreaterThan": (False, _ordered(date_of, operator.gt)),
    "DateGreaterThanEquals": (False, _ordered(date_of, operator.ge)),
    "Bool": (False, _booleans),
    "BinaryEquals": (False, _binaries),
    "IpAddress": (False, _addresses),
    "NotIpAddress": (True, _addresses),
    "ArnEquals": (False, _arns),
    "ArnLike": (False, _arns),
    "ArnNotEquals": (True, _arns),
    "ArnNotLike": (True, _arns),
}
"""Each operator: whether it is negated, and what makes its (never negated) test of the values in a policy."""
