"""Draws docs/images/benchmarks.svg from the results: `python -m benchmarks.draw`."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

RESULTS = Path(__file__).parent / "results"
PICTURE = Path(__file__).parents[1] / "docs" / "images" / "benchmarks.svg"
WIDTH, HEIGHT = 1000, 560
INK, FAINT, GRID = "#1f2933", "#6b7785", "#e3e7ec"
PEERS = {"modelyard": ("Modelyard", "#1d6fd1"), "mlflow": ("MLflow", "#e08a2e"), "moto": ("moto (memory only)", "#a7b0ba")}
CALLS = {
    "describe": ("describe", "describe"),
    "create": ("create", "create"),
    "list newest 100 approved": ("list newest 100 approved", "list newest 100 approved"),
    "search by metric": ("search by metric", "search by metric"),
    "search by metadata": ("search by metadata", "search by description"),
    "approve": ("approve", "approve"),
}
"""The calls of Modelyard and MLflow, with the label, and what moto can do in its place."""
LINES = {
    "describe": "#1d6fd1",
    "list newest 50 approved": "#7a4fc4",
    "search by metric": "#c2467f",
    "search by metadata": "#5b8c2a",
    "approve": "#b7791f",
    "create": "#13808a",
}


def main() -> None:
    """Draw what there are results of."""
    peers = json.loads((RESULTS / "registry_against_peers.json").read_text())
    million, usual = RESULTS / "registry_growth_million.json", RESULTS / "registry_growth.json"
    growth = json.loads((million if million.exists() else usual).read_text())
    parts = [*_bars(peers), *_growth(growth)]
    PICTURE.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="system-ui, sans-serif" '
        f'font-size="12" role="img" aria-label="Latency of Modelyard, MLflow and moto, and of Modelyard as the registry grows">\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _text(x: float, y: float, text: str, *, fill: str = INK, anchor: str = "start", size: int = 12, weight: int = 400) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{fill}" text-anchor="{anchor}" font-size="{size}" '
        f'font-weight="{weight}">{escape(text)}</text>'
    )


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{GRID}"/>'


def _milliseconds(value: float) -> str:
    return f"{value:,.0f} ms" if value >= 10 else f"{value:.1f} ms" if value >= 1 else f"{value:.2f} ms"


def _bars(result: Mapping[str, Any]) -> Iterator[str]:
    """The peers: bars on a logarithmic scale."""
    left, right, top, bottom, least, most = 175, 520, 84, 520, 0.05, 50_000

    def x(value: float) -> float:
        return left + (right - left) * math.log(value / least) / math.log(most / least)

    count = f"{result['versions_in_the_registry']:,}"
    yield _text(20, 30, f"One call at {count} versions", size=17, weight=600)
    yield _text(20, 50, "p50 on one connection, logarithmic; shorter is better", fill=FAINT)
    position = 20.0
    for name, colour in PEERS.values():
        yield f'<rect x="{position}" y="61" width="11" height="11" fill="{colour}"/>'
        yield _text(position + 16, 71, name)
        position += 40 + 7 * len(name)
    for exponent in range(-1, 5):
        yield _line(x(10**exponent), top, x(10**exponent), bottom)
        yield _text(
            x(10**exponent),
            bottom + 16,
            f"{10**exponent:g} ms" if exponent < 3 else f"{10 ** (exponent - 3)} s",
            fill=FAINT,
            anchor="middle",
        )
    step = (bottom - top) / len(CALLS)
    for row, (call, (label, substitute)) in enumerate(CALLS.items()):
        middle = top + step * (row + 0.5)
        yield _text(left - 10, middle + 4, label, anchor="end")
        for bar, (peer, (_, colour)) in enumerate(PEERS.items()):
            value = result["p50_milliseconds"][peer].get(substitute if peer == "moto" else call)
            if value is None:
                continue
            y = middle + (bar - 1) * 17 - 7
            yield f'<rect x="{left}" y="{y:.1f}" width="{x(value) - left:.1f}" height="14" rx="2" fill="{colour}"/>'
            note = f" · {result['times_faster_than_mlflow'][call]:.0f}×" if peer == "mlflow" else ""
            note = " (by description)" if peer == "moto" and substitute != call else note
            yield _text(x(value) + 5, y + 11, _milliseconds(value) + note, size=11, weight=600 if peer == "modelyard" else 400)


def _growth(result: Mapping[str, Any]) -> Iterator[str]:
    """One panel for each database: p50 against the number of versions."""
    yield _text(580, 30, "The same calls as the registry grows", size=17, weight=600)
    yield _text(580, 50, "p50 of Modelyard by number of versions, logarithmic both ways", fill=FAINT)
    databases = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
    shown = [name for name in databases if name in result["databases"]]
    for row, database in enumerate(shown):
        height = 480 / len(databases)
        yield from _panel(databases[database], result["databases"][database]["p50_milliseconds"], 84 + row * height, height - 42)


def _panel(title: str, p50: Mapping[str, Mapping[str, float]], top: float, height: float) -> Iterator[str]:
    left, right, least, most = 625, 800, 0.05, 30
    sizes = [int(size) for size in p50]

    def x(size: int) -> float:
        return left + (right - left) * math.log(size / sizes[0]) / math.log(sizes[-1] / sizes[0])

    def y(value: float) -> float:
        return top + height - height * math.log(value / least) / math.log(most / least)

    yield _text(left, top - 2, title, weight=600)
    for value in (0.1, 1, 10):
        yield _line(left, y(value), right, y(value))
        yield _text(left - 6, y(value) + 4, f"{value:g} ms", fill=FAINT, anchor="end", size=11)
    for size in sizes:
        name = f"{size // 1_000_000}M" if size >= 1_000_000 else f"{size // 1000}k"
        yield _text(x(size), top + height + 16, name, fill=FAINT, anchor="middle", size=11)
    ends = []
    for call, colour in LINES.items():
        values = [p50[str(size)][call] for size in sizes]
        points = " ".join(f"{x(size):.1f},{y(value):.1f}" for size, value in zip(sizes, values, strict=True))
        yield f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
        for size, value in zip(sizes, values, strict=True):
            yield f'<circle cx="{x(size):.1f}" cy="{y(value):.1f}" r="2.5" fill="{colour}"/>'
        ends.append((y(values[-1]), f"{call}, {_milliseconds(values[-1])}", colour))
    for place, (_, label, colour) in zip(_apart([end[0] for end in sorted(ends)]), sorted(ends), strict=True):
        yield _text(right + 8, place + 4, label, fill=colour, size=11)


def _apart(places: Sequence[float]) -> list[float]:
    """The same places, moved so that labels do not cover each other."""
    moved: list[float] = []
    for place in places:
        moved.append(max(place, moved[-1] + 13) if moved else place)
    return moved


if __name__ == "__main__":
    main()
