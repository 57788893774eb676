"""Regular expressions as service models write them (Java's dialect), taken apart and written again for Python.

What differs: `\\d`, `\\w`, `\\s` are ASCII; `.` stops at every line terminator; `\\p{Alnum}` and its like; `\\z`; pairs of
surrogates; a class escape at the start of a range (`[\\w-_]`); a quantifier on `$`. The parts also tell how long matching
may take: see `backtracking`.
"""

import re
from dataclasses import dataclass, field

_POSIX = {
    "ASCII": r"\x00-\x7f",
    "Alnum": "a-zA-Z0-9",
    "Alpha": "a-zA-Z",
    "Digit": "0-9",
    "Lower": "a-z",
    "Print": r"\x20-\x7e",
    "Punct": r"!-/:-@\[-`{-~",
    "Space": r" \t\n\x0b\f\r",
    "Upper": "A-Z",
}
_SHORTHAND = {"d": "0-9", "w": "a-zA-Z0-9_", "s": r" \t\n\x0b\f\r"}
_CONTROL = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v"}
_HIGH, _LOW = r"\\u[dD][89abAB][0-9a-fA-F]{2}", r"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_SURROGATES = re.compile(f"{_HIGH}{_LOW}-{_HIGH}{_LOW}")
_QUANTIFIER = re.compile(r"[*+?]|\{([0-9]+)(,?)([0-9]*)\}")
_GROUP = re.compile(r"\((\?(?:[:=!>]|<[=!]))?")
_PROPERTY = re.compile(r"([pP])\{(\w+)\}")
UNBOUNDED = 1 << 30


@dataclass(slots=True)
class Atom:
    """One character out of a set."""

    source: str
    least: int = 1
    most: int = 1


@dataclass(slots=True)
class Assertion:
    """Something that takes no characters: an anchor."""

    source: str


@dataclass(slots=True)
class Group:
    """Alternatives, each a sequence."""

    opening: str
    alternatives: list[list["Node"]] = field(default_factory=list)
    least: int = 1
    most: int = 1


Node = Atom | Assertion | Group


def parse(pattern: str) -> Group:
    """Take an expression apart. Raises ValueError for what is not understood."""
    parser = _Parser(_SURROGATES.sub(r"\\x{10000}-\\x{10FFFF}", pattern))
    try:
        group = parser.group("(?:")
    except IndexError:
        raise ValueError(f"{pattern} ends too early") from None
    if parser.position < len(parser.text):
        raise ValueError(f"unbalanced parenthesis in {pattern}")
    return group


def write(node: Node) -> str:
    """The expression for Python's `re` and for `regex`."""
    match node:
        case Assertion():
            return node.source
        case Atom():
            return node.source + _quantifier(node.least, node.most)
        case Group():
            inner = "|".join("".join(write(part) for part in sequence) for sequence in node.alternatives)
            return f"{node.opening}{inner}){_quantifier(node.least, node.most)}"


def _quantifier(least: int, most: int) -> str:
    if least == most:
        return "" if least == 1 else f"{{{least}}}"
    if most >= UNBOUNDED:
        return {0: "*", 1: "+"}.get(least, f"{{{least},}}")
    return "?" if (least, most) == (0, 1) else f"{{{least},{most}}}"


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.dot = r"[^\n\r\x85\u2028\u2029]"
        if text.startswith("(?s)"):
            self.position, self.dot = 4, r"[\s\S]"

    def group(self, opening: str) -> Group:
        """The alternatives up to the closing parenthesis, or to the end."""
        group = Group(opening, [[]])
        while self.position < len(self.text) and self.text[self.position] != ")":
            if self.text[self.position] == "|":
                self.position += 1
                group.alternatives.append([])
            else:
                group.alternatives[-1].append(self._quantified(self._node()))
        return group

    def _node(self) -> Node:
        character = self.text[self.position]
        if character == "(":
            return self._group()
        if character == "[":
            return Atom(self._class())
        self.position += 1
        if character == "\\":
            return self._escape()
        if character == ".":
            return Atom(self.dot)
        if character in "^$":
            return Assertion(r"\A" if character == "^" else r"\Z")
        if character in "*+?":
            raise ValueError(f"nothing to repeat in {self.text}")
        return Atom(re.escape(character))

    def _group(self) -> Group:
        found = _GROUP.match(self.text, self.position)
        if found is None or (found[1] is None and self.text.startswith("(?", self.position)):
            raise ValueError(f"a kind of group that is not understood in {self.text}")
        self.position = found.end()
        group = self.group(f"({found[1] or '?:'}")
        if self.position >= len(self.text):
            raise ValueError(f"missing parenthesis in {self.text}")
        self.position += 1
        return group

    def _quantified(self, node: Node) -> Node:
        found = _QUANTIFIER.match(self.text, self.position)
        if found is None:
            return node
        self.position = found.end()
        if self.text.startswith("?", self.position):
            self.position += 1  # lazy: the same, where the whole string has to match
        elif self.text.startswith("+", self.position):
            raise ValueError(f"a possessive quantifier in {self.text}")
        if isinstance(node, Assertion):
            return node  # "$" matches or does not, however often
        match found[0][0]:
            case "*":
                node.least, node.most = 0, UNBOUNDED
            case "+":
                node.least, node.most = 1, UNBOUNDED
            case "?":
                node.least, node.most = 0, 1
            case _:
                node.least = int(found[1])
                node.most = int(found[3]) if found[3] else UNBOUNDED if found[2] else node.least
        return node

    def _escape(self) -> Node:
        """An escape outside a class; the backslash has been taken."""
        character = self.text[self.position]
        if character in "AzZbB":
            self.position += 1
            return Assertion({"A": r"\A", "z": r"\Z", "Z": r"\Z"}.get(character, rf"(?a:\{character})"))
        items, negated = self._escaped_set()
        return Atom(f"[{'^' if negated else ''}{items}]" if (len(items) > 1 and items[0] != "\\") or negated else _alone(items))

    def _escaped_set(self) -> tuple[str, bool]:
        """What an escape stands for, as the inside of a class, and whether that is negated."""
        character = self.text[self.position]
        found = _PROPERTY.match(self.text, self.position)
        if found is not None:
            self.position = found.end()
            return _POSIX.get(found[2], rf"\p{{{found[2]}}}"), found[1] == "P"
        if character.lower() in _SHORTHAND:
            self.position += 1
            return _SHORTHAND[character.lower()], character.isupper()
        return _in_class(self._escaped_character()), False

    def _escaped_character(self) -> str:
        code = re.compile(r"u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|x\{([0-9a-fA-F]+)\}").match(self.text, self.position)
        if code is not None:
            self.position = code.end()
            return chr(int(code[1] or code[2] or code[3], 16))
        character = self.text[self.position]
        if character.isalnum() and character not in _CONTROL:
            raise ValueError(f"the escape \\{character} is not understood in {self.text}")
        self.position += 1
        return _CONTROL.get(character, character)

    def _class(self) -> str:
        """A class, its brackets included."""
        start = self.position + 1
        negated = self.text.startswith("^", start)
        self.position = start + negated
        items = ""
        while self.text[self.position] != "]" or not items:
            items += self._class_item()
        self.position += 1
        return f"[{'^' if negated else ''}{items}]"

    def _class_item(self) -> str:
        """One set, character or range inside a class."""
        if self.text[self.position] == "[" or self.text.startswith("&&", self.position):
            raise ValueError(f"a class within a class in {self.text}")
        if self.text[self.position] == "\\":
            self.position += 1
            if self.text[self.position].lower() in "dwsp":
                items, negated = self._escaped_set()
                return items if not negated else _complement(items)
            first = self._escaped_character()
        else:
            first = self.text[self.position]
            self.position += 1
        if self.text.startswith("-", self.position) and not self.text.startswith("-]", self.position):
            return self._range(first)
        return _in_class(first)

    def _range(self, first: str) -> str:
        self.position += 1
        if self.text[self.position] == "\\":
            self.position += 1
            if self.text[self.position].lower() in "dwsp":
                return _in_class(first) + r"\-" + self._escaped_set()[0]
            last = self._escaped_character()
        else:
            last = self.text[self.position]
            self.position += 1
        if last < first:
            raise ValueError(f"a range from {first} to {last} in {self.text}")
        return f"{_in_class(first)}-{_in_class(last)}"


def _in_class(character: str) -> str:
    """A character as it may stand in a class."""
    if character.isalnum() and character.isascii():
        return character
    code = ord(character)
    return f"\\U{code:08x}" if code > 0xFFFF else f"\\u{code:04x}" if code > 0xFF else f"\\x{code:02x}"


def _alone(items: str) -> str:
    """A set as an atom of its own."""
    return items if len(items) == 1 or re.fullmatch(r"\\(x..|u.{4}|U.{8})", items) else f"[{items}]"


def _complement(items: str) -> str:
    """The inside of a class that stands for everything but `items`, for the shorthands that occur negated in classes."""
    complements = {
        _SHORTHAND["s"]: r"\x00-\x08\x0e-\x1f!-\U0010ffff",
        _SHORTHAND["d"]: r"\x00-/:-\U0010ffff",
        _SHORTHAND["w"]: r"\x00-/:-@\[-\^`{-\U0010ffff",
    }
    if items not in complements:
        raise ValueError("a negated property within a class")
    return complements[items]
