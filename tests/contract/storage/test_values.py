"""Values that come back as they were given, and those that no database is asked to keep."""

from enum import StrEnum
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelyard.aws.errors import ValidationException
from modelyard.aws.http import Document
from modelyard.storage import Storage, Transaction

pytestmark = pytest.mark.ours

COLUMNS = ("name", "amount", "weight", "content")
TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"))


class Colour(StrEnum):
    RED = "red"


def round_trip(storage: Storage, **values: Any) -> tuple[Any, ...]:
    """Store a thing, and read it back in another transaction; it is gone afterwards."""
    row = {"name": "", "amount": None, "weight": None, "content": None, **values}

    def store(tx: Transaction) -> None:
        tx.execute("DELETE FROM thing")
        tx.execute("INSERT INTO thing (name, amount, weight, content) VALUES (:name, :amount, :weight, :content)", row)

    storage.write(store)
    with storage.read() as tx:
        found = tx.one("SELECT name, amount, weight, content FROM thing WHERE name = :name", {"name": row["name"]})
    assert found is not None
    return tuple(found[COLUMNS.index(name)] for name in values)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=TEXTS,
    amount=st.integers(-(2**63), 2**63 - 1),
    weight=st.floats(allow_nan=False),
    content=st.binary(),
)
def test_any_value_comes_back(storage: Storage, name: str, amount: int, weight: float, content: bytes) -> None:
    """Text, 64-bit integers, floats and bytes come back equal and of the same type."""
    found = round_trip(storage, name=name, amount=amount, weight=weight, content=content)
    assert found == (name, amount, weight, content)
    assert [type(value) for value in found] == [str, int, float, bytes]


def test_milliseconds_survive(storage: Storage) -> None:
    """Epoch seconds with milliseconds come back to the last digit."""
    assert round_trip(storage, weight=1_791_234_567.891) == (1_791_234_567.891,)


def test_kinds_of_text_numbers_and_bytes(storage: Storage) -> None:
    """Enumerations, documents and truth values are kept as the text, bytes and 0 or 1 that they are."""
    found = round_trip(storage, name=Colour.RED, amount=True, content=Document(b"{}"))
    assert found == ("red", 1, b"{}")
    assert type(found[0]) is str
    assert type(found[2]) is bytes


@pytest.mark.parametrize(
    "values",
    [
        {"name": "a\x00b"},
        {"name": "half of a pair \ud800"},
        {"amount": 2**63},
        {"amount": -(2**63) - 1},
        {"weight": float("nan")},
    ],
    ids=["null character", "lone surrogate", "too large", "too small", "not a number"],
)
def test_what_cannot_be_stored_is_the_callers_mistake(storage: Storage, values: dict[str, Any]) -> None:
    """The same values are refused on both databases, with a ValidationException."""
    with pytest.raises(ValidationException):
        round_trip(storage, **values)
    with pytest.raises(ValidationException), storage.read() as tx:
        tx.one(
            "SELECT 1 FROM thing WHERE name = :name OR amount = :amount OR weight = :weight",
            {"name": "", "amount": 1, "weight": 1.0} | values,
        )
    with pytest.raises(ValidationException):
        storage.write(
            lambda tx: tx.execute_many(
                "INSERT INTO thing (name, amount, weight) VALUES (:name, :amount, :weight)",
                [{"name": "", "amount": 1, "weight": 1.0} | values],
            )
        )
    with storage.read() as tx:
        assert tx.one("SELECT count(*) FROM thing") == (0,)


def test_a_work_goes_on_after_refusing_a_value(storage: Storage) -> None:
    """A refused value never reached the database, so the work that caught the refusal is kept."""

    def work(tx: Transaction) -> None:
        with pytest.raises(ValidationException):
            tx.execute("INSERT INTO thing (name) VALUES (:name)", {"name": "\x00"})
        tx.execute("INSERT INTO thing (name) VALUES (:name)", {"name": "a"})

    storage.write(work)
    with storage.read() as tx:
        assert tx.all("SELECT name FROM thing") == [("a",)]


def test_text_is_ordered_and_compared_by_bytes(storage: Storage) -> None:
    """`{text}` sorts as its UTF-8 bytes do, and upper case is not lower case."""
    texts = ["a", "A", "b", "B", "é", "Z", "_", "-", "a-", "aa", "a b", "ß", "日", "\U0001f40d", "~", "0"]
    storage.write(lambda tx: tx.execute_many("INSERT INTO thing (name) VALUES (:name)", [{"name": text} for text in texts]))
    with storage.read() as tx:
        found = [name for (name,) in tx.all("SELECT name FROM thing ORDER BY name")]
        after = [name for (name,) in tx.all("SELECT name FROM thing WHERE name > :name ORDER BY name", {"name": "a"})]
    assert found == sorted(texts, key=lambda text: text.encode())
    assert after == found[found.index("a") + 1 :]


def test_numbers_that_are_computed_are_numbers(storage: Storage) -> None:
    """Sums and counts are int, averages float: no Decimal comes out."""
    storage.write(
        lambda tx: tx.execute_many(
            "INSERT INTO thing (name, amount) VALUES (:name, :amount)", [{"name": n, "amount": 3} for n in "ab"]
        )
    )
    with storage.read() as tx:
        row = tx.one("SELECT sum(amount), count(*), avg(amount), max(amount), sum(weight) FROM thing")
    assert row == (6, 2, 3.0, 3, None)
    assert [type(value) for value in row] == [int, int, float, int, type(None)]


def test_statements_may_hold_what_looks_like_a_parameter(storage: Storage) -> None:
    """Colons and percent signs in text, comments and casts are left alone."""
    statement = """
        SELECT ':name', '100%', 'it''s :name', CAST(:amount AS BIGINT) % 5, name /* :comment 5% */ -- :more %
        FROM thing WHERE name LIKE 'a%' AND name = :name
    """
    storage.write(lambda tx: tx.execute("INSERT INTO thing (name) VALUES (:name)", {"name": "a%"}))
    with storage.read() as tx:
        assert tx.one(statement, {"name": "a%", "amount": 7}) == (":name", "100%", "it's :name", 2, "a%")


def test_an_optional_parameter_is_cast(storage: Storage) -> None:
    """`CAST(:x AS TEXT) IS NULL OR column = :x` works with a value and without."""
    storage.write(lambda tx: tx.execute_many("INSERT INTO thing (name) VALUES (:name)", [{"name": n} for n in "ab"]))
    statement = "SELECT name FROM thing WHERE (CAST(:name AS TEXT) IS NULL OR name = :name) ORDER BY name"
    with storage.read() as tx:
        assert tx.all(statement, {"name": None}) == [("a",), ("b",)]
        assert tx.all(statement, {"name": "b"}) == [("b",)]
