"""The runbook's configuration as teams write it."""

from pathlib import Path

import pytest

from modelyard.cli.failure import CommandFailure
from modelyard.cli.runbook.configuration import configuration, parse, read_file, variable_of

pytestmark = pytest.mark.ours

LINES = [
    ("TEAMS=rc,algo", "rc,algo"),
    ("TEAMS=rc algo", "rc algo"),
    ("export TEAMS=rc", "rc"),
    ("TEAMS = rc ", "rc"),
    ('TEAMS="rc algo"', "rc algo"),
    ("TEAMS='rc algo'", "rc algo"),
    ('TEAMS="rc","algo"', "rc,algo"),
    ("TEAMS=rc # the first", "rc"),
    ('TEAMS="rc algo"   # both', "rc algo"),
    ("TEAMS=rc#1", "rc#1"),
    ("TEAMS=", ""),
    ("TEAMS=# nobody", ""),
    ('TEAMS=("rc" "algo")', "rc algo"),
    ("TEAMS=(\n  rc    # risk\n  algo\n)", "rc algo"),
    ('TEAMS="rc\n  algo"', "rc\n  algo"),
    ("\n# TEAMS=other\nTEAMS=rc\n", "rc"),
    ("TEAMS=rc\r\nX=1\r\n", "rc"),
    ("TEAMS=$HOME", "$HOME"),
    ("TEAMS=rc\nTEAMS=algo", "algo"),
]


@pytest.mark.parametrize(("text", "value"), LINES, ids=[repr(line) for line, _ in LINES])
def test_a_line_is_read_as_shells_and_env_files_have_it(text: str, value: str) -> None:
    """Each row: what TEAMS is after these lines."""
    assert parse(text)["TEAMS"] == value


@pytest.mark.parametrize("text", ["teams: rc", "A=1\nTEAMS", 'TEAMS="rc', "A=1\n  \nTEAMS=(rc"])
def test_a_line_that_cannot_be_read_is_named(text: str, tmp_path: Path) -> None:
    """The sentence has the file and the number of the line."""
    (tmp_path / "teams.env").write_text(text)
    with pytest.raises(CommandFailure, match=rf"teams\.env, line {text.count(chr(10)) + 1}: "):
        read_file(tmp_path / "teams.env")


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    """Editors on Windows write one."""
    (tmp_path / "teams.env").write_bytes(b"\xef\xbb\xbfTEAMS=rc\r\n")
    assert read_file(tmp_path / "teams.env") == {"TEAMS": "rc"}


@pytest.mark.parametrize("teams", ["rc,algo", "rc algo", " rc ,\n algo, ", "rc;algo", "rc algo rc"])
def test_groups_are_named_after_team_and_project(teams: str) -> None:
    """`{team}-{project}`, in the order in which they are written, each once."""
    found = configuration(
        {
            "ENABLE_MODEL_REGISTRY": "true",
            "TEAMS": teams,
            "RC_PROJECTS": "fraud-detection anti-money-laundering",
            "ALGO_PROJECTS": "recommendation-engine",
        },
        whole=False,
    )
    names = [group.name for group in found.groups]
    assert names == ["rc-fraud-detection", "rc-anti-money-laundering", "algo-recommendation-engine"]
    assert found.remarks == ()


def test_dashes_of_a_team_are_underscores_in_its_variable() -> None:
    """Variables have no dashes."""
    assert variable_of("data-science") == "DATA_SCIENCE_PROJECTS"


def test_the_registry_can_be_left_out() -> None:
    """ENABLE_MODEL_REGISTRY=false asks for nothing, whatever else is written."""
    for word in ("false", "False", "no", "0", " off "):
        assert not configuration({"ENABLE_MODEL_REGISTRY": word, "TEAMS": "?"}, whole=True).enabled


MISTAKES: list[tuple[dict[str, str], str]] = [
    ({"TEAMS": "rc"}, "ENABLE_MODEL_REGISTRY is not set"),
    ({"ENABLE_MODEL_REGISTRY": "maybe"}, "neither true nor false"),
    ({"ENABLE_MODEL_REGISTRY": "true"}, "TEAMS names no team"),
    ({"ENABLE_MODEL_REGISTRY": "true", "TEAMS": "rc"}, "The team rc has no RC_PROJECTS"),
    ({"ENABLE_MODEL_REGISTRY": "true", "TEAMS": "r_c"}, "'r_c' in TEAMS is no name"),
    ({"ENABLE_MODEL_REGISTRY": "true", "TEAMS": "-rc"}, "is no name"),
    ({"ENABLE_MODEL_REGISTRY": "true", "TEAMS": "rc", "RC_PROJECTS": "${X}"}, "in RC_PROJECTS is no name"),
    ({"ENABLE_MODEL_REGISTRY": "true", "TEAMS": "rc RC", "RC_PROJECTS": "x"}, "both have their projects in RC_PROJECTS"),
    ({"ENABLE_MODEL_REGISTRY": "true", "TEAMS": "rc", "RC_PROJECTS": "x X"}, "would both be the group"),
    (
        {"ENABLE_MODEL_REGISTRY": "true", "TEAMS": "a a-b", "A_PROJECTS": "b-c", "A_B_PROJECTS": "c"},
        "Project b-c of team a and project c of team a-b would both be the group a-b-c",
    ),
    ({"ENABLE_MODEL_REGISTRY": "true", "TEAMS": "rc", "RC_PROJECTS": "x" * 53}, "is too long"),
]


@pytest.mark.parametrize(("variables", "sentence"), MISTAKES, ids=[sentence for _, sentence in MISTAKES])
def test_a_mistake_is_told(variables: dict[str, str], sentence: str) -> None:
    """Each row: nothing is done, and why."""
    with pytest.raises(CommandFailure) as told:
        configuration(variables, whole=True)
    assert sentence in str(told.value)


def test_what_may_be_a_mistake_is_remarked() -> None:
    """Projects of no team, in a file, and a team without projects; other variables of an environment are not looked at."""
    variables = {"ENABLE_MODEL_REGISTRY": "true", "TEAMS": "rc", "RC_PROJECTS": "", "RCC_PROJECTS": "x"}
    assert configuration(variables, whole=True).remarks == (
        "RCC_PROJECTS is of no team: TEAMS does not name one.",
        "The team rc has no projects: RC_PROJECTS is empty.",
    )
    assert len(configuration(variables, whole=False).remarks) == 1


def test_the_longest_group_has_a_role() -> None:
    """The role's name is the longest that IAM takes."""
    variables = {"ENABLE_MODEL_REGISTRY": "true", "TEAMS": "rc", "RC_PROJECTS": "x" * 52}
    (group,) = configuration(variables, whole=True).groups
    assert len(group.role) == 64
