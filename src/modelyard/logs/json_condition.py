r"""Conditions on messages that are JSON: `{ ($.level = "ERROR" || $.code >= 500) && $.user.id NOT EXISTS }`.

    condition   = all, { "||", all }                  all = one, { "&&", one }
    one         = "(", condition, ")" | selector, test
    selector    = "$", { ".", name | "[", number, "]" | "[*]" | "['", name, "']" }
    test        = "=" | "!=" | "<" | ">" | "<=" | ">=", value | "IS", ("NULL" | "TRUE" | "FALSE") | ["NOT"], "EXISTS"
    value       = number | text, in quotation marks or not, where * stands for anything

A test of a field that a message does not have fails, but for NOT EXISTS. Texts compare with texts and numbers with numbers.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

import orjson

Test = Callable[[Any], bool]
Step = str | int | None
"""A name, an index, or None for every element."""

DEEPEST = 20
_TOKEN = re.compile(
    r"""\s*(?:(?P<selector>\$(?:\.[\w@-]+|\[(?:\d{1,9}|\*|'[^']*'|"[^"]*")\])+)
    |(?P<operator>&&|\|\||!=|<=|>=|[=<>(){}])
    |"(?P<quoted>(?:[^"\\]|\\.)*)"
    |(?P<word>[^\s"=<>!(){}&|]+))""",
    re.VERBOSE,
)
_STEP = re.compile(r"""\.([\w@-]+)|\[(\d+)\]|\[(\*)\]|\['([^']*)'\]|\["([^"]*)"\]""")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?")


class InvalidPattern(Exception):
    """The pattern cannot be read; the text is for the client."""


def compile_condition(text: str) -> Callable[[str], bool]:
    """The test of a message. Raises InvalidPattern."""
    test = _Reader(text).read()

    def matches(message: str) -> bool:
        if not message.lstrip().startswith("{"):
            return False
        try:
            document = orjson.loads(message)
        except orjson.JSONDecodeError:
            return False
        return test(document)

    return matches


class _Reader:
    """Reads a condition from left to right."""

    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        position, end = 0, len(text.rstrip())
        while position < end:
            match = _TOKEN.match(text, position)
            if match is None:
                raise InvalidPattern(f"it cannot be read from '{text[position : position + 20]}' on.")
            kind = str(match.lastgroup)
            self._tokens.append((kind, match[kind]))
            position = match.end()
        self._next = 0

    def read(self) -> Test:
        """The whole."""
        self._expect("{")
        test = self._any(0)
        self._expect("}")
        if self._next != len(self._tokens):
            raise InvalidPattern("there is something behind the closing brace.")
        return test

    def _any(self, depth: int) -> Test:
        if depth > DEEPEST:
            raise InvalidPattern(f"it nests deeper than {DEEPEST} levels.")
        tests = [self._all(depth)]
        while self._takes("||"):
            tests.append(self._all(depth))
        return tests[0] if len(tests) == 1 else lambda document: any(test(document) for test in tests)

    def _all(self, depth: int) -> Test:
        tests = [self._one(depth)]
        while self._takes("&&"):
            tests.append(self._one(depth))
        return tests[0] if len(tests) == 1 else lambda document: all(test(document) for test in tests)

    def _one(self, depth: int) -> Test:
        if self._takes("("):
            test = self._any(depth + 1)
            self._expect(")")
            return test
        kind, text = self._take()
        if kind != "selector":
            raise InvalidPattern(f"'{text[:64]}' stands where a selector ($.name) has to.")
        return self._test(_steps(text))

    def _test(self, steps: Sequence[Step]) -> Test:
        kind, text = self._take()
        if kind == "word" and text.upper() in ("IS", "NOT", "EXISTS"):
            return self._word_test(text.upper(), steps)
        if kind != "operator" or text not in ("=", "!=", "<", ">", "<=", ">="):
            raise InvalidPattern(f"'{text[:64]}' is no comparison.")
        value_kind, value = self._take()
        if value_kind not in ("quoted", "word"):
            raise InvalidPattern(f"'{value[:64]}' stands where a value has to.")
        if value_kind == "word" and value.startswith("%"):
            raise InvalidPattern("regular expressions are not available in Modelyard.")
        passes = _comparison(text, value, quoted=value_kind == "quoted")
        return lambda document: any(passes(found) for found in _found(document, steps))

    def _word_test(self, word: str, steps: Sequence[Step]) -> Test:
        if word == "EXISTS":
            return lambda document: bool(_found(document, steps))
        _, second = self._take()
        if word == "NOT" and second.upper() == "EXISTS":
            return lambda document: not _found(document, steps)
        values = {"NULL": None, "TRUE": True, "FALSE": False}
        if word == "IS" and second.upper() in values:
            wanted = values[second.upper()]
            return lambda document: any(found is wanted for found in _found(document, steps))
        raise InvalidPattern(f"'{word} {second[:64]}' is no test.")

    def _take(self) -> tuple[str, str]:
        if self._next == len(self._tokens):
            raise InvalidPattern("it ends too early.")
        self._next += 1
        return self._tokens[self._next - 1]

    def _takes(self, operator: str) -> bool:
        taken = self._next < len(self._tokens) and self._tokens[self._next] == ("operator", operator)
        self._next += taken
        return taken

    def _expect(self, operator: str) -> None:
        if not self._takes(operator):
            raise InvalidPattern(f"a '{operator}' is missing.")


def _steps(selector: str) -> list[Step]:
    steps: list[Step] = []
    for name, index, every, single, double in _STEP.findall(selector):
        steps.append(int(index) if index else None if every else name or single or double)
    return steps


def _found(document: Any, steps: Sequence[Step]) -> list[Any]:
    """What a selector leads to: nothing, a value, or several by `[*]`."""
    values = [document]
    for step in steps:
        if step is None:
            values = [element for value in values if isinstance(value, list) for element in value]
        elif isinstance(step, int):
            values = [value[step] for value in values if isinstance(value, list) and step < len(value)]
        else:
            values = [value[step] for value in values if isinstance(value, dict) and step in value]
    return values


def _comparison(operator: str, value: str, *, quoted: bool) -> Test:
    if not quoted and _NUMBER.fullmatch(value):
        return _numeric(operator, float(value))
    if operator not in ("=", "!="):
        raise InvalidPattern(f"{operator} compares numbers, and '{value[:64]}' is none.")
    text = re.sub(r"\\(.)", r"\1", value) if quoted else value
    equals = _like(text)
    if operator == "=":
        return lambda found: isinstance(found, str) and equals(found)
    return lambda found: not (isinstance(found, str) and equals(found))


def _numeric(operator: str, value: float) -> Test:
    compare: Callable[[float], bool] = {
        "=": lambda found: found == value,
        "!=": lambda found: found != value,
        "<": lambda found: found < value,
        ">": lambda found: found > value,
        "<=": lambda found: found <= value,
        ">=": lambda found: found >= value,
    }[operator]
    otherwise = operator == "!="

    def passes(found: Any) -> bool:
        if isinstance(found, bool) or not isinstance(found, int | float):
            return otherwise
        return compare(found)

    return passes


def _like(text: str) -> Callable[[str], bool]:
    """Equality, where each * of `text` stands for any characters; in time that grows with the length of the text alone."""
    if "*" not in text:
        return lambda found: found == text
    first, *middle, last = text.split("*")

    def like(found: str) -> bool:
        if len(found) < len(first) + len(last) or not found.startswith(first) or not found.endswith(last):
            return False
        position, end = len(first), len(found) - len(last)
        for piece in middle:
            position = found.find(piece, position, end)
            if position < 0:
                return False
            position += len(piece)
        return True

    return like
