"""What commands print: answers on standard output, everything said along the way on standard error."""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum

from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table


class Format(StrEnum):
    """How an answer is printed."""

    TABLE = "table"
    JSON = "json"


def say(sentence: str) -> None:
    """Tell the person something that is not the answer."""
    print(sentence, file=sys.stderr)


def print_json(value: object) -> None:
    """Print an answer for programs."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def print_rows(rows: Sequence[Mapping[str, object]], columns: Mapping[str, str], output: Format) -> None:
    """Print rows: as JSON with all they hold, or as a table of `columns` (member name to heading)."""
    if output is Format.JSON:
        print_json(list(rows))
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in columns.values():
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(str(row.get(member, "")) for member in columns))
    Console().print(table)


def print_facts(facts: Mapping[str, object], output: Format) -> None:
    """Print one thing: as JSON, or as lines of name and value."""
    if output is Format.JSON:
        print_json(dict(facts))
        return
    width = max(len(name) for name in facts)
    for name, value in facts.items():
        print(f"{name.replace('_', ' '):<{width}}  {value}")


def lines(values: Iterable[str]) -> None:
    """Print lines as they are."""
    for value in values:
        print(value)


class Bar:
    """One progress bar: the work says how far it is, the person sees it when there is a terminal."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, stage: str, done: int, total: int) -> None:
        """`done` of `total` steps of `stage` are behind us."""
        task = self._tasks.get(stage)
        if task is None:
            task = self._tasks[stage] = self._progress.add_task(stage, total=total)
        self._progress.update(task, completed=done, total=total)


@contextmanager
def progress_bar() -> Iterator[Bar]:
    """A progress bar on standard error, gone when the work is done."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield Bar(progress)
