"""Cutting inputs into records and payloads."""

import gzip
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.jobs.splitting import BadGzip, TooMuchData, batches, lines, unpacked, whole


def pieces(content: bytes, size: int) -> list[bytes]:
    return [content[start : start + size] for start in range(0, len(content), size)]


@pytest.mark.ours
@given(st.lists(st.binary(min_size=1, max_size=9).filter(lambda line: line.strip() and b"\n" not in line and b"\r" not in line)))
def test_lines_come_whole_however_they_are_read(given_lines: Sequence[bytes]) -> None:
    """Records are the lines of an input, whatever the pieces in which it is read, with or without an end to the last."""
    for content in (b"\n".join(given_lines), b"".join(line + b"\r\n" for line in given_lines)):
        for size in (1, 3, 1000):
            assert list(lines(pieces(content, size), 100)) == list(given_lines)


@pytest.mark.ours
def test_empty_lines_are_no_records() -> None:
    """Lines of nothing but space are left out."""
    assert list(lines([b"\n\na\n", b"  \n\nb\n\n"], 10)) == [b"a", b"b"]


@pytest.mark.documented
@given(st.lists(st.binary(min_size=1, max_size=8)), st.booleans())
def test_payloads_hold_what_fits(records: Sequence[bytes], multi: bool) -> None:
    """No payload is larger than it may be, none could take the next record too, and all records are there in order."""
    limit = 20
    found = list(batches(records, limit, multi=multi))
    assert [record for batch in found for record in batch] == list(records)
    sizes = [len(b"\n".join(batch)) for batch in found]
    assert all(size <= limit for size in sizes)
    if not multi:
        assert all(len(batch) == 1 for batch in found)
    else:
        assert all(size + 1 + len(after[0]) > limit for size, after in zip(sizes, found[1:], strict=False))


@pytest.mark.documented
def test_what_is_too_large_is_refused() -> None:
    """A record, or an input that is not split, above the limit is refused, also before its end is read."""
    assert list(lines([b"12345\n12"], 5)) == [b"12345", b"12"]
    for content in ([b"123456\n1"], [b"1234567"], [b"1", b"2345", b"67"]):
        with pytest.raises(TooMuchData):
            list(lines(content, 5))
    assert whole([b"123", b"45"], 5) == b"12345"
    with pytest.raises(TooMuchData):
        whole([b"123", b"456"], 5)


@pytest.mark.ours
@given(st.lists(st.binary(max_size=200), min_size=1, max_size=3), st.sampled_from([1, 7, 10_000]))
def test_gzip_is_unpacked(members: Sequence[bytes], size: int) -> None:
    """Files of one or several members come out, however they are read."""
    content = b"".join(gzip.compress(member) for member in members)
    assert b"".join(unpacked(pieces(content, size))) == b"".join(members)


@pytest.mark.ours
@pytest.mark.parametrize(
    "content", [b"no gzip at all", gzip.compress(b"x" * 1000)[:-9], gzip.compress(b"x") + b"more"], ids=["none", "short", "more"]
)
def test_what_is_no_gzip_is_refused(content: bytes) -> None:
    """What is not gzip, ends early, or goes on as something else is refused."""
    with pytest.raises(BadGzip):
        list(unpacked([content]))
