"""What commands print."""

import json

import pytest

from modelyard.cli.output import Format, print_facts, print_rows, progress_bar

ROWS = [{"name": "one", "arn": "arn:aws:iam::111122223333:user/one", "more": 1}]


@pytest.mark.ours
def test_json_holds_everything(capsys: pytest.CaptureFixture[str]) -> None:
    """Programs get every member, also those that the table has no column for."""
    print_rows(ROWS, {"name": "name"}, Format.JSON)
    assert json.loads(capsys.readouterr().out) == ROWS


@pytest.mark.ours
def test_a_table_has_the_chosen_columns(capsys: pytest.CaptureFixture[str]) -> None:
    """People get the columns that were chosen, with their headings."""
    print_rows(ROWS, {"arn": "ARN"}, Format.TABLE)
    printed = capsys.readouterr().out
    assert "ARN" in printed and "user/one" in printed and "name" not in printed


@pytest.mark.ours
def test_facts_line_up(capsys: pytest.CaptureFixture[str]) -> None:
    """Values stand in one column, names read as words."""
    print_facts({"a": 1, "long_name": 2}, Format.TABLE)
    assert capsys.readouterr().out == "a          1\nlong name  2\n"


@pytest.mark.ours
def test_progress_is_shown_to_people_only(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal a progress bar writes nothing, so scripts see only answers and errors."""
    with progress_bar() as bar:
        bar("objects", 1, 2)
        bar("objects", 2, 2)
    assert capsys.readouterr() == ("", "")
