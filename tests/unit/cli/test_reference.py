"""The reference pages that are written from the code."""

from pathlib import Path

import pytest

from modelyard.cli import reference

FOLDER = Path(__file__).resolve().parents[3] / "docs" / "reference"


@pytest.mark.ours
@pytest.mark.parametrize("name", ["operations.md", "settings.md", "commands.md"])
def test_the_reference_is_as_new_as_the_code(name: str) -> None:
    """What is committed is what `make reference` writes: otherwise run it."""
    assert (FOLDER / name).read_text(encoding="utf-8") == reference.pages()[name]


@pytest.mark.ours
def test_every_setting_says_what_it_means() -> None:
    """No row of the settings page is without a meaning."""
    rows = [line for line in reference.settings_page().splitlines() if line.startswith("| `")]
    assert rows and all(len(row.split("|")[4].strip()) > 10 for row in rows)


@pytest.mark.ours
def test_every_operation_says_what_it_does() -> None:
    """No row of the operations page is without a sentence."""
    rows = [line for line in reference.operations_page().splitlines() if line.startswith("| `")]
    assert rows and all(row.split("|")[2].strip() for row in rows)
