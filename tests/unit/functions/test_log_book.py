"""Lines of functions that print without an end, on their way to the logs."""

import math
from pathlib import Path
from typing import Any

import pytest
from tests.harness import house

from modelyard.functions import log_book
from modelyard.functions.log_book import LONGEST_EVENT, MOST_CHARACTERS, LogBook, Stream

pytestmark = pytest.mark.ours


def test_long_lines_wait_in_pieces_and_not_without_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line longer than an event may be becomes several; lines beyond what may wait are counted and not kept."""
    monkeypatch.setattr(log_book, "FLUSH_SECONDS", 3600.0)
    nobodys: Any = None
    with house(tmp_path) as yard:
        book, stream = LogBook(yard.house.dispatcher), Stream(nobodys, "/aws/lambda/f", "s")
        longest = "é" * 300_000
        most = MOST_CHARACTERS // len(longest)
        for _ in range(most + 3):
            book.write(stream, longest)
        pieces = [line for _, line in stream.waiting]
        assert (len(pieces), stream.left_out) == (math.ceil(len(longest) / LONGEST_EVENT) * most, 3)
        assert "".join(pieces) == longest * most
        assert max(len(piece.encode()) for piece in pieces) < 256 * 1024 - 26
        stream.refused_until = math.inf
        book.close()
        assert (len(stream.waiting), stream.characters) == (0, 0)
