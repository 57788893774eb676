"""How the demo talks: numbered steps, what is asked, what is really answered."""

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

INDENT = "   "


class Mismatch(Exception):
    """What was claimed is not what happened; the text says which claim."""


class Narrator:
    """Tells the story on a console."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._steps = 0

    def title(self, text: str, subtitle: str) -> None:
        """Open the story."""
        self.console.print()
        self.console.print(Text(text, style="bold"))
        self.console.print(Text(subtitle, style="dim"))

    def step(self, headline: str, who: str = "") -> None:
        """Begin the next step; `who` is the person whose key is used."""
        self._steps += 1
        line = Text(f"\n{self._steps}. ", style="bold cyan").append(headline, style="bold")
        if who:
            line.append(f"  [{who}]", style="magenta")
        self.console.print(line)

    def say(self, sentence: str) -> None:
        """Explain."""
        self._lines(Text(sentence))

    def call(self, code: str, language: str = "python") -> None:
        """Show what is being run."""
        self._lines(Syntax("", language, theme="ansi_dark", background_color="default").highlight(code))

    def answer(self, value: Mapping[str, object] | str) -> None:
        """Show what came back: one member on one line, more on as many."""
        indent = 2 if len(value) > 1 else None
        text = value if isinstance(value, str) else json.dumps(value, indent=indent, ensure_ascii=False, default=str)
        self._lines(Text(text, style="green"))

    def refused(self, text: str) -> None:
        """Show a refusal that was meant to come."""
        self._lines(Text(text, style="yellow"))

    def table(self, headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Show figures."""
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for heading in headings:
            table.add_column(heading)
        for row in rows:
            table.add_row(*(str(cell) for cell in row))
        self.console.print(Padding(table, (0, 0, 0, len(INDENT))))

    def holds(self, claim: str, fact: bool) -> None:
        """State a claim, which has to be true. Raises Mismatch."""
        if not fact:
            raise Mismatch(claim)
        self._lines(Text("✓ ", style="bold green").append(claim, style="default"))

    def _lines(self, text: Text) -> None:
        """Print without breaking lines, so that what is shown can be copied."""
        text.rstrip()
        for line in text.split():
            self.console.print(Text(INDENT).append_text(line), soft_wrap=not self.console.record)


def as_typed(path: Path) -> str:
    """A path as a person in this directory would type it."""
    here = Path.cwd()
    return shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) else path))


def picture_of(console: Console, title: str) -> str:
    """What a recording console showed, as SVG, in the reader's own fonts: none is fetched from anywhere."""
    return re.sub(r"\s*@font-face \{.*?\}", "", console.export_svg(title=title), flags=re.DOTALL)
