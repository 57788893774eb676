"""Inputs in pieces, cut into the records and payloads that a model gets. Generators: no input is in memory as a whole."""

import zlib
from collections.abc import Iterable, Iterator, Sequence

MEBIBYTE = 1024 * 1024
_GZIP = 31
"""zlib's word for gzip's own format."""


class TooMuchData(Exception):
    """A record, or an input that is not split, is larger than a payload may be."""


class BadGzip(Exception):
    """An input that was said to be compressed is not, or not whole."""


def unpacked(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """What is in a gzip file, which may be several behind each other. Raises BadGzip."""
    reader = zlib.decompressobj(_GZIP)
    begun = False
    try:
        for piece in pieces:
            while piece:
                begun = True
                yield from _inflated(reader, piece)
                piece = reader.unused_data  # noqa: PLW2901
                if reader.eof:
                    reader = zlib.decompressobj(_GZIP)
                    begun = bool(piece)
    except zlib.error as error:
        raise BadGzip(str(error)) from None
    if begun:
        raise BadGzip("it ends before its end")


def _inflated(reader: "zlib._Decompress", piece: bytes) -> Iterator[bytes]:
    """A little at a time: a few bytes may unpack to very many."""
    while piece:
        yield reader.decompress(piece, MEBIBYTE)
        piece = reader.unconsumed_tail


def whole(pieces: Iterable[bytes], limit: int) -> bytes:
    """An input that is one record. Raises TooMuchData."""
    taken, size = [], 0
    for piece in pieces:
        size += len(piece)
        if size > limit:
            raise TooMuchData
        taken.append(piece)
    return b"".join(taken)


def lines(pieces: Iterable[bytes], limit: int) -> Iterator[bytes]:
    """The lines of an input, without their ends, and without empty ones. Raises TooMuchData."""
    rest = bytearray()
    for piece in pieces:
        rest += piece
        if b"\n" in piece:
            *ended, last = rest.split(b"\n")
            yield from _full(ended, limit)
            rest = bytearray(last)
        if len(rest) > limit + 1:
            raise TooMuchData
    yield from _full([rest], limit)


def _full(found: Iterable[bytearray], limit: int) -> Iterator[bytes]:
    for line in found:
        record = bytes(line.removesuffix(b"\r"))
        if len(record) > limit:
            raise TooMuchData
        if record.strip():
            yield record


def batches(records: Iterable[bytes], limit: int, *, multi: bool) -> Iterator[Sequence[bytes]]:
    """Records by payload: each alone, or as many as fit with line ends between them."""
    batch: list[bytes] = []
    size = 0
    for record in records:
        if batch and (not multi or size + len(record) + 1 > limit):
            yield batch
            batch, size = [], 0
        size += len(record) + (1 if batch else 0)
        batch.append(record)
    if batch:
        yield batch
