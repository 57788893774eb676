"""A model card as a PDF, for people who read it on paper or keep it in a file."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
from fpdf import FPDF

MARGIN = 18.0
INDENT = 4.0
LINE = 5.0
"""Millimetres."""
FONT = "helvetica"
CHARACTERS = "cp1252"
"""What the fonts that every PDF reader has can show."""
DEEPEST_INDENT = 8


class _Pages(FPDF):
    """Pages with their number and the name of the card at the foot."""

    def __init__(self, name: str) -> None:
        super().__init__(format="A4")
        self._name = name
        self.set_margin(MARGIN)
        self.set_auto_page_break(True, MARGIN)

    def footer(self) -> None:
        """Called by fpdf at the end of every page."""
        self.set_y(-MARGIN + 4)
        self.set_font(FONT, size=8)
        self.set_text_color(110)
        self.cell(0, LINE, f"{self._name}    {self.page_no()} / {{nb}}", align="C")
        self.set_text_color(0)

    def heading(self, text: str, size: int) -> None:
        """A heading on a line of its own, not the last of a page."""
        if self.will_page_break(6 * LINE):
            self.add_page()
        self.ln(2)
        self.set_font(FONT, style="B", size=size)
        self.multi_cell(0, LINE + size / 10, shown(text), new_x="LMARGIN", new_y="NEXT")

    def line(self, text: str, depth: int, *, label: str = "") -> None:  # type: ignore[override]
        """A paragraph, indented, with a label in bold before it."""
        self.set_x(MARGIN + INDENT * min(depth, DEEPEST_INDENT))
        if label:
            self.set_font(FONT, style="B", size=10)
            self.write(LINE, f"{shown(label)}: ")
        self.set_font(FONT, size=10)
        self.multi_cell(0, LINE, shown(text), new_x="LMARGIN", new_y="NEXT")


def render(document: Mapping[str, Any], now: float) -> bytes:
    """The PDF of what DescribeModelCard answers. The content itself is attached to it as `model-card.json`."""
    moment = datetime.fromtimestamp(now, UTC)
    pages = _Pages(document["ModelCardName"])
    pages.set_title(document["ModelCardName"])
    pages.set_creator("Modelyard")
    pages.set_creation_date(moment)
    pages.add_page()
    pages.heading(document["ModelCardName"], 20)
    pages.line(document["ModelCardArn"], 0)
    pages.line(f"Version {document['ModelCardVersion']}, {document['ModelCardStatus']}", 0)
    pages.line(_when(document["CreationTime"]), 0, label="Created")
    if "LastModifiedTime" in document:
        pages.line(_when(document["LastModifiedTime"]), 0, label="Last modified")
    pages.line(_when(now), 0, label="Exported")
    for section, content in orjson.loads(document["Content"]).items():
        pages.heading(_label(section), 14)
        _write(pages, content, 0)
    pages.embed_file(bytes=document["Content"].encode(), basename="model-card.json", modification_date=moment)
    return bytes(pages.output())


def shown(text: str) -> str:
    """Text as the fonts can show it: other characters as their number; the attached content has them all."""
    return text.encode(CHARACTERS, "backslashreplace").decode(CHARACTERS)


def _write(pages: _Pages, value: Any, depth: int) -> None:
    if isinstance(value, dict):
        for name, inner in value.items():
            if isinstance(inner, dict | list) and not _is_plain(inner):
                pages.line("", depth, label=_label(name))
                _write(pages, inner, depth + 1)
            else:
                pages.line(_text(inner), depth, label=_label(name))
    elif isinstance(value, list) and not _is_plain(value):
        for inner in value:
            _write(pages, inner, depth)
            pages.ln(1)
    else:
        pages.line(_text(value), depth)


def _is_plain(value: Any) -> bool:
    """Whether a list is one of numbers, or of rows of numbers, which reads best on one line."""
    return isinstance(value, list) and all(
        isinstance(inner, int | float) or (isinstance(inner, list) and _is_plain(inner)) for inner in value
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _label(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _when(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
