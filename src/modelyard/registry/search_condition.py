"""One condition on one property, and what it says of the values that a resource has."""

from collections.abc import Sequence
from dataclasses import dataclass

from modelyard.registry.search_property import Value, is_digest, kept


@dataclass(frozen=True, slots=True)
class OneOf:
    """Equal to one of these texts, case-sensitively: Equals and In."""

    texts: frozenset[str]

    def matches(self, value: Value) -> bool:
        """Whether a value is one of the texts."""
        return value in self.texts

    def may_match(self, digest: str) -> bool:
        """Whether the text behind a digest can be one of the texts."""
        return any(kept(text) == digest for text in self.texts)


@dataclass(frozen=True, slots=True)
class Between:
    """A number between two others; infinite where there is no bound."""

    low: float = float("-inf")
    high: float = float("inf")
    with_low: bool = True
    with_high: bool = True

    def matches(self, value: Value) -> bool:
        """Whether a value is a number in the interval."""
        if isinstance(value, str):
            return False
        above = value >= self.low if self.with_low else value > self.low
        return above and (value <= self.high if self.with_high else value < self.high)

    def may_match(self, digest: str) -> bool:
        """Never: a digest stands for a text."""
        return False


@dataclass(frozen=True, slots=True)
class Containing:
    """A text with this text in it, case-sensitively."""

    text: str

    def matches(self, value: Value) -> bool:
        """Whether the text is part of a value."""
        return isinstance(value, str) and self.text in value

    def may_match(self, digest: str) -> bool:
        """Always: a digest says nothing of what is in a text."""
        return True


@dataclass(frozen=True, slots=True)
class Present:
    """Any value."""

    def matches(self, value: Value) -> bool:
        """Yes."""
        return True

    def may_match(self, digest: str) -> bool:
        """Yes."""
        return True


Test = OneOf | Between | Containing | Present


@dataclass(frozen=True, slots=True)
class Condition:
    """A filter of a search: some value of the property passes the test, or with `negated` none does.

    So NotEquals is true of a resource that does not have the property, as NotExists is.
    """

    name: str
    test: Test
    negated: bool = False

    def holds(self, values: Sequence[Value]) -> bool:
        """Whether it is true of a resource whose property has these values."""
        return any(map(self.test.matches, values)) != self.negated

    def decide(self, values: Sequence[Value]) -> bool | None:
        """The same from values as the index keeps them; None when that depends on a text that is kept as a digest."""
        unknown = False
        for value in values:
            if isinstance(value, str) and is_digest(value):
                unknown = unknown or self.test.may_match(value)
            elif self.test.matches(value):
                return not self.negated
        if not unknown:
            return self.negated
        return not self.negated if isinstance(self.test, Present) else None
