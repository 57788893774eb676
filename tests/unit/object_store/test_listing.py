"""Pages of keys, held against the plainest way to make them."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.object_store.listing import Page, Query, Start, page
from modelyard.object_store.object_key import after_prefix, byte_length, url_encoded


@dataclass(frozen=True)
class Row:
    key: str
    id: int = 1


class Table:
    """Rows in order, and how many were read."""

    def __init__(self, keys: list[str]) -> None:
        self.rows = [Row(key) for key in sorted(keys)]
        self.read = 0

    def fetch(self, start: Start, size: int) -> list[Row]:
        rows = [row for row in self.rows if row.key > start.key or (start.inclusive and row.key == start.key)][:size]
        self.read += len(rows)
        return rows


def everything(table: Table, prefix: str, delimiter: str, most: int) -> list[tuple[list[str], list[str]]]:
    """All pages, one after the other."""
    pages: list[tuple[list[str], list[str]]] = []
    after = ""
    while True:
        found: Page[Row] = page(Query(prefix, delimiter, after, most), table.fetch)
        assert found.count <= most
        pages.append(([row.key for row in found.entries], found.common_prefixes))
        if not found.truncated:
            return pages
        assert found.count == most
        after = found.last


KEYS = st.lists(st.text(alphabet="ab/\U0010ffff\ud7ff", min_size=1, max_size=6), max_size=40, unique=True)


@given(KEYS, st.text(alphabet="ab/", max_size=2), st.sampled_from(["", "/", "a", "ab"]), st.integers(1, 5))
def test_pages_add_up(keys: list[str], prefix: str, delimiter: str, most: int) -> None:
    """The pages together list each key with the prefix once, or the common prefix it belongs to, and nothing else, in order."""
    pages = everything(Table(keys), prefix, delimiter, most)
    wanted_keys: list[str] = []
    wanted_prefixes: list[str] = []
    for key in sorted(keys):
        if not key.startswith(prefix):
            continue
        group = Query(prefix, delimiter).group(key)
        if group is None:
            wanted_keys.append(key)
        elif group not in wanted_prefixes:
            wanted_prefixes.append(group)
    assert [key for entries, _ in pages for key in entries] == wanted_keys
    assert [group for _, groups in pages for group in groups] == wanted_prefixes


@pytest.mark.ours
def test_keys_below_a_common_prefix_are_not_read() -> None:
    """Listing 20 folders of 5,000 keys each reads a few hundred rows, not 100,000."""
    table = Table([f"folder{folder:02}/{number:05}" for folder in range(20) for number in range(5000)])
    pages = everything(table, "", "/", 1000)
    assert len(pages[0][1]) == 20
    assert table.read < 300


@pytest.mark.documented
def test_after_a_common_prefix() -> None:
    """A listing that goes on after a common prefix does not show it again."""
    table = Table(["a/1", "a/2", "b"])
    found = page(Query(delimiter="/", after="a/"), table.fetch)
    assert [row.key for row in found.entries] == ["b"]
    assert found.common_prefixes == []


@given(st.text(min_size=1, max_size=4), st.text(max_size=4))
def test_after_prefix(prefix: str, rest: str) -> None:
    """What comes after a prefix is above every text that begins with it, in the order of UTF-8 bytes."""
    following = after_prefix(prefix)
    if following is None:
        assert set(prefix) == {"\U0010ffff"}
        return
    assert (prefix + rest).encode("utf-8", "surrogatepass") < following.encode()


@pytest.mark.documented
def test_keys_as_they_travel() -> None:
    """encoding-type=url percent-encodes everything but the plain characters; lengths count bytes."""
    assert url_encoded("a b+c/ü%.txt") == "a%20b%2Bc/%C3%BC%25.txt"
    assert byte_length("ü") == 2
