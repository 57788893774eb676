"""Metric math as a tree: `100 * errors / FILL(requests, 0)`.

expression = comparison, { ("AND" | "&&" | "OR" | "||"), comparison }, where AND binds closer
comparison = sum, [ ("==" | "!=" | "<" | "<=" | ">" | ">="), sum ]
sum        = product, { ("+" | "-"), product }
product    = power, { ("*" | "/"), power }
power      = ["-"], term, ["^", power]
term       = number | text | name | FUNCTION, "(", [expression, { ",", expression }], ")"
           | "(", expression, ")" | "[", expression, { ",", expression }, "]"
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

DEEPEST = 30
_TOKEN = re.compile(
    r"""\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?)
    |(?P<word>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<text>"[^"]*"|'[^']*')
    |(?P<sign>&&|\|\||==|!=|<=|>=|[-+*/^<>()\[\],]))""",
    re.VERBOSE,
)
COMPARISONS = ("==", "!=", "<=", ">=", "<", ">")
_WORDS = {"AND": "&&", "OR": "||"}


class ExpressionError(Exception):
    """An expression that cannot be read or computed; the text is for its author."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number."""

    value: float


@dataclass(frozen=True, slots=True)
class Text:
    """A text in quotation marks."""

    value: str


@dataclass(frozen=True, slots=True)
class Name:
    """The id of another query, or a word such as REPEAT."""

    value: str


@dataclass(frozen=True, slots=True)
class Operation:
    """An operator between two; `-` before one is `0 -`, written `negate`."""

    sign: str
    operands: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A function."""

    function: str
    arguments: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Array:
    """Several in brackets."""

    elements: tuple["Node", ...]


Node = Number | Text | Name | Operation | Call | Array
_Operand = Callable[[], Node]


def parse(text: str) -> Node:
    """The tree of an expression. Raises ExpressionError."""
    return _Reader(text).read()


def names_in(node: Node) -> Iterator[str]:
    """Every name in a tree."""
    match node:
        case Name(value):
            yield value
        case Operation(_, nodes) | Call(_, nodes) | Array(nodes):
            for each in nodes:
                yield from names_in(each)


def calls_in(node: Node) -> Iterator[Call]:
    """Every function in a tree."""
    if isinstance(node, Call):
        yield node
    match node:
        case Operation(_, nodes) | Call(_, nodes) | Array(nodes):
            for each in nodes:
                yield from calls_in(each)


class _Reader:
    """Reads an expression from left to right."""

    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        position, end = 0, len(text.rstrip())
        while position < end:
            match = _TOKEN.match(text, position)
            if match is None:
                raise ExpressionError(f"Unexpected character '{text[position : position + 1]}'.")
            kind = str(match.lastgroup)
            word = match[kind]
            self._tokens.append(("sign", _WORDS[word]) if word in _WORDS else (kind, word))
            position = match.end()
        self._next = 0
        self._depth = 0

    def read(self) -> Node:
        """The whole."""
        node = self._expression()
        if self._next < len(self._tokens):
            raise ExpressionError(f"Unexpected '{self._tokens[self._next][1][:64]}'.")
        return node

    def _expression(self) -> Node:
        self._depth += 1
        if self._depth > DEEPEST:
            raise ExpressionError(f"It nests deeper than {DEEPEST} levels.")
        node = self._chain(("||",), lambda: self._chain(("&&",), self._comparison))
        self._depth -= 1
        return node

    def _comparison(self) -> Node:
        node = self._sum()
        sign = self._takes(*COMPARISONS)
        return node if sign is None else Operation(sign, (node, self._sum()))

    def _sum(self) -> Node:
        return self._chain(("+", "-"), lambda: self._chain(("*", "/"), self._power))

    def _chain(self, signs: tuple[str, ...], operand: _Operand) -> Node:
        node = operand()
        while (sign := self._takes(*signs)) is not None:
            node = Operation(sign, (node, operand()))
        return node

    def _power(self) -> Node:
        negative = False
        while self._takes("-") is not None:
            negative = not negative
        node = self._term()
        if self._takes("^") is not None:
            self._depth += 1
            if self._depth > DEEPEST:
                raise ExpressionError(f"It nests deeper than {DEEPEST} levels.")
            node = Operation("^", (node, self._power()))
            self._depth -= 1
        return Operation("negate", (node,)) if negative else node

    def _term(self) -> Node:
        if self._takes("(") is not None:
            node = self._expression()
            self._expect(")")
            return node
        if self._takes("[") is not None:
            return Array(self._list("]"))
        if self._next == len(self._tokens):
            raise ExpressionError("It ends too early.")
        kind, word = self._tokens[self._next]
        self._next += 1
        match kind:
            case "number":
                return Number(float(word))
            case "text":
                return Text(word[1:-1])
            case "word" if self._takes("(") is not None:
                return Call(word, self._list(")"))
            case "word":
                return Name(word)
            case _:
                raise ExpressionError(f"Unexpected '{word}'.")

    def _list(self, end: str) -> tuple[Node, ...]:
        if self._takes(end) is not None:
            return ()
        nodes = [self._expression()]
        while self._takes(",") is not None:
            nodes.append(self._expression())
        self._expect(end)
        return tuple(nodes)

    def _takes(self, *signs: str) -> str | None:
        if self._next < len(self._tokens):
            kind, word = self._tokens[self._next]
            if kind == "sign" and word in signs:
                self._next += 1
                return word
        return None

    def _expect(self, sign: str) -> None:
        if self._takes(sign) is None:
            raise ExpressionError(f"'{sign}' is missing.")
