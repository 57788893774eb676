"""Ranges of bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.object_store.byte_range import ByteRange, NotSatisfiable, parse


@pytest.mark.documented
@pytest.mark.parametrize(
    ("header", "start", "length", "content_range"),
    [
        ("bytes=0-0", 0, 1, "bytes 0-0/10"),
        ("bytes=2-5", 2, 4, "bytes 2-5/10"),
        ("bytes=9-", 9, 1, "bytes 9-9/10"),
        ("bytes=0-100", 0, 10, "bytes 0-9/10"),
        ("bytes=-3", 7, 3, "bytes 7-9/10"),
        ("bytes=-100", 0, 10, "bytes 0-9/10"),
    ],
)
def test_what_a_header_asks_for(header: str, start: int, length: int, content_range: str) -> None:
    """First and last byte, open end, and suffix are understood, and clipped to the object."""
    found = parse(header, 10)
    assert found == ByteRange(start, length, 10)
    assert found.content_range == content_range


@pytest.mark.documented
@pytest.mark.parametrize("header", ["bytes=10-", "bytes=10-20", "bytes=-0"])
def test_nothing_there(header: str) -> None:
    """A range that lies outside the object is not satisfiable."""
    with pytest.raises(NotSatisfiable):
        parse(header, 10)


@pytest.mark.documented
@pytest.mark.parametrize("header", ["", "bytes", "bytes=-", "bytes=a-b", "bytes=5-2", "bytes=0-1,3-4", "lines=1-2", "bytes=1-2-"])
def test_what_is_ignored(header: str) -> None:
    """A header that is not one range of bytes is ignored, as RFC 9110 wants it."""
    assert parse(header, 10) is None


@pytest.mark.documented
@pytest.mark.parametrize("header", ["bytes=0-", "bytes=0-0", "bytes=-1"])
def test_an_empty_object_has_no_ranges(header: str) -> None:
    """No range of an empty object is satisfiable."""
    with pytest.raises(NotSatisfiable):
        parse(header, 0)


@given(st.text(), st.integers(0, 2**40))
def test_any_header(header: str, size: int) -> None:
    """Whatever the header is, a range that comes out lies inside the object."""
    try:
        found = parse(header, size)
    except NotSatisfiable:
        return
    if found is not None:
        assert found.start >= 0 and found.length > 0 and found.start + found.length <= size
