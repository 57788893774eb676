"""What teams write down: ENABLE_MODEL_REGISTRY, TEAMS and {TEAM}_PROJECTS, in the environment or in a file."""

import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from modelyard.cli.failure import CommandFailure
from modelyard.cli.runbook.wanted import LONGEST_GROUP, WantedGroup

ENABLE = "ENABLE_MODEL_REGISTRY"
TEAMS = "TEAMS"
PROJECTS = "_PROJECTS"
_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})
_ASSIGNMENT = re.compile(r"[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*")
_NAME = re.compile(r"[a-zA-Z0-9](?:-*[a-zA-Z0-9])*")


@dataclass(frozen=True, slots=True)
class Configuration:
    """What is to be there."""

    enabled: bool
    groups: tuple[WantedGroup, ...]
    remarks: tuple[str, ...] = ()
    """What looks like a mistake and is none for certain."""


def read_file(path: Path) -> dict[str, str]:
    """The variables of a file of KEY=value lines. Raises CommandFailure with the line that cannot be read."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise CommandFailure(f"{path} is not a text in UTF-8.") from error
    try:
        return parse(text)
    except ValueError as error:
        raise CommandFailure(f"{path}, {error}") from None


def parse(text: str) -> dict[str, str]:
    """The variables of KEY=value lines, as shells and .env files have them: comments, arrays, quotes over several lines.

    Nothing is expanded. Raises ValueError that begins with the number of the line.
    """
    found: dict[str, str] = {}
    lines = text.splitlines()
    position = 0
    while position < len(lines):
        number, line = position + 1, lines[position]
        position += 1
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        assignment = _ASSIGNMENT.match(line)
        if assignment is None:
            raise ValueError(f"line {number}: this is not KEY=value: {line.strip()[:80]}")
        value = line[assignment.end() :]
        while (read := _read_value(value)) is None:
            if position == len(lines):
                raise ValueError(f"line {number}: the value of {assignment[1]} has no end")
            value += "\n" + lines[position]
            position += 1
        found[assignment[1]] = read
    return found


def _read_value(text: str) -> str | None:
    """A value without its quotes or parentheses and the comment behind it; None when it goes on in the next line."""
    closing = {'"': '"', "'": "'", "(": ")"}.get(text[:1])
    if closing is None:
        return re.split(r"(?:^|\s)#", text, maxsplit=1)[0].strip()
    end = text.find(closing, 1)
    if end < 0:
        return None
    if text[end + 1 :].split("#", 1)[0].strip():
        return re.split(r"\s#", text, maxsplit=1)[0].strip().replace(closing, "")
    inside = text[1:end]
    return " ".join(shlex.split(inside, comments=True)) if closing == ")" else inside


def configuration(variables: Mapping[str, str], *, whole: bool) -> Configuration:
    """What the variables ask for; `whole` when they hold nothing else, as those of a file do. Raises CommandFailure."""
    if not _enabled(variables.get(ENABLE)):
        return Configuration(False, ())
    teams = _names(variables.get(TEAMS, ""), TEAMS)
    if not teams:
        raise CommandFailure(f"{TEAMS} names no team: set it to their names, as in {TEAMS}=rc,algo.")
    by_variable: dict[str, str] = {}
    for team in teams:
        variable = variable_of(team)
        if variable in by_variable:
            raise CommandFailure(f"The teams {by_variable[variable]} and {team} would both have their projects in {variable}.")
        by_variable[variable] = team
    remarks = [
        f"{name} is of no team: {TEAMS} does not name one."
        for name in sorted(variables)
        if whole and name.endswith(PROJECTS) and name not in by_variable
    ]
    groups: list[WantedGroup] = []
    for variable, team in by_variable.items():
        if variable not in variables:
            raise CommandFailure(f"The team {team} has no {variable}: set it to the names of its projects.")
        projects = _names(variables[variable], variable)
        if not projects:
            remarks.append(f"The team {team} has no projects: {variable} is empty.")
        groups += [WantedGroup(team, project) for project in projects]
    _check_apart(groups)
    return Configuration(True, tuple(groups), tuple(remarks))


def variable_of(team: str) -> str:
    """The variable that holds the projects of a team: RC_PROJECTS of `rc`, DATA_SCIENCE_PROJECTS of `data-science`."""
    return team.upper().replace("-", "_") + PROJECTS


def _enabled(value: str | None) -> bool:
    if value is None:
        raise CommandFailure(f"{ENABLE} is not set: set it to true, or to false where there is to be no registry.")
    word = value.strip().lower()
    if word not in _TRUE | _FALSE:
        raise CommandFailure(f"{ENABLE} is '{value}', which is neither true nor false.")
    return word in _TRUE


def _names(value: str, variable: str) -> list[str]:
    """Names apart by commas, semicolons or white space, each once. Raises CommandFailure."""
    names = list(dict.fromkeys(filter(None, re.split(r"[\s,;]+", value.strip()))))
    for name in names:
        if not _NAME.fullmatch(name):
            raise CommandFailure(f"'{name[:80]}' in {variable} is no name: letters, digits, and dashes between them are.")
    return names


def _check_apart(groups: Iterable[WantedGroup]) -> None:
    """Raises CommandFailure for names that are too long, and for groups of one name: SageMaker's are the same in any case."""
    found: dict[str, WantedGroup] = {}
    for group in groups:
        if len(group.name) > LONGEST_GROUP:
            raise CommandFailure(f"{group.name} is too long: team and project have {LONGEST_GROUP - 1} characters together.")
        other = found.setdefault(group.name.lower(), group)
        if other is not group:
            raise CommandFailure(
                f"Project {other.project} of team {other.team} and project {group.project} of team {group.team} "
                f"would both be the group {group.name}."
            )
