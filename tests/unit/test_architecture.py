"""The shape of the house, kept by tests: who may import whom, and how large a piece may grow."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
MODULES = sorted((PROJECT / "src" / "modelyard").rglob("*.py"))
LONGEST_MODULE = 400
LONGEST_FUNCTION = 50

Function = ast.FunctionDef | ast.AsyncFunctionDef


@pytest.mark.ours
def test_imports_lead_only_downward() -> None:
    """Every layer imports only layers below it, no part imports another, and no package is left out of the contract."""
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.ours
@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PROJECT / "src")))
def test_pieces_stay_small(path: Path) -> None:
    """No module has more than 400 lines and no function more than 50."""
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= LONGEST_MODULE
    too_long = [f"{function.name} ({_lines(function)})" for function in _functions(text) if _lines(function) > LONGEST_FUNCTION]
    assert not too_long


def _functions(text: str) -> Iterator[Function]:
    return (node for node in ast.walk(ast.parse(text)) if isinstance(node, Function))


def _lines(function: Function) -> int:
    assert function.end_lineno is not None
    return function.end_lineno - function.lineno + 1


@pytest.mark.ours
def test_the_measure_finds_what_is_too_long() -> None:
    """A function of 51 lines is seen as one of 51 lines, so the test above can fail."""
    text = "def long():\n" + "    pass\n" * 50
    assert [_lines(function) for function in _functions(text)] == [51]
