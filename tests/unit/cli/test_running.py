"""What the command line knows of the server that runs on a data directory."""

import json
import os
from pathlib import Path

import pytest

from modelyard.cli import running

NOBODY = 2**22 + 1
"""A process id that Linux does not give."""


@pytest.mark.ours
def test_a_server_is_known_while_it_runs(tmp_path: Path) -> None:
    """The address is there inside the block and gone after it."""
    with running.announced(tmp_path, "http://127.0.0.1:4711"):
        assert running.address_of(tmp_path) == "http://127.0.0.1:4711"
    assert running.address_of(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.ours
def test_a_server_that_was_killed_is_not_believed(tmp_path: Path) -> None:
    """A file left behind by a process that is gone says nothing."""
    (tmp_path / running.FILE).write_text(json.dumps({"pid": NOBODY, "address": "http://127.0.0.1:1"}))
    assert running.address_of(tmp_path) is None


@pytest.mark.ours
def test_an_ending_server_leaves_the_word_of_another_alone(tmp_path: Path) -> None:
    """Of two servers on one directory, the one that ends does not hide the one that came after it."""
    with running.announced(tmp_path, "http://127.0.0.1:1"):
        later = {"pid": os.getppid(), "address": "http://127.0.0.1:2"}
        (tmp_path / running.FILE).write_text(json.dumps(later))
    assert running.address_of(tmp_path) == "http://127.0.0.1:2"


@pytest.mark.ours
@pytest.mark.parametrize("content", ["", "[]", "{}", '{"pid": "x"}', "\x00"])
def test_a_damaged_file_is_no_server(tmp_path: Path, content: str) -> None:
    """Whatever the file holds, reading it does not fail."""
    (tmp_path / running.FILE).write_text(content)
    assert running.address_of(tmp_path) is None


@pytest.mark.ours
@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:9"),
        ("0.0.0.0", "http://127.0.0.1:9"),
        ("::", "http://127.0.0.1:9"),
        ("localhost", "http://127.0.0.1:9"),
        ("::1", "http://[::1]:9"),
        ("yard.example", "http://yard.example:9"),
    ],
)
def test_clients_of_this_machine_are_told_an_address_they_can_reach(host: str, address: str) -> None:
    """A wildcard becomes the loopback address, an IPv6 address gets its brackets."""
    assert running.address(host, 9) == address
