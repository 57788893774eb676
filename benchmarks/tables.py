"""Writes the tables of docs/benchmarks.md anew from the results: `python -m benchmarks.tables`.

A table stands between `<!-- NAME -->` and `<!-- end -->`.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"


def main() -> None:
    """Fill every table of the page."""
    page = PAGE.read_text()
    for name, table in TABLES.items():
        before, begin, rest = page.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition("<!-- end -->")
        page = before + begin + table() + end + after
    PAGE.write_text(page)


def _result(name: str) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text())
    return result


def _grown() -> dict[str, Any]:
    return _result("registry_growth_million" if (RESULTS / "registry_growth_million.json").exists() else "registry_growth")


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _ms(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _peers() -> str:
    result = _result("registry_against_peers")
    p50, ratios, aims = result["p50_milliseconds"], result["times_faster_than_mlflow"], result["aims_against_mlflow"]
    rows = [
        [
            call,
            _ms(ours),
            _ms(p50["mlflow"].get(call)),
            _ms(p50["moto"].get(call)),
            f"{ratios[call]:.0f}" if call in ratios else "",
            str(aims.get(call, "")),
        ]
        for call, ours in p50["modelyard"].items()
    ]
    idle = result["idle_megabytes"]
    rows.append(["memory when idle, MB", *(f"{idle[peer]:,.0f}" for peer in ("modelyard", "mlflow", "moto")), "", ""])
    text = _markdown(["p50, ms", "Modelyard", "MLflow", "moto", "times faster than MLflow", "aim"], rows)
    floor, commit = p50["bare ASGI handler"]["describe"], p50["bare durable commit"]["commit"]
    return (
        f"{text}\n{result['versions_in_the_registry']:,} versions; MLflow {result['peers']['mlflow']}; "
        f"moto {result['peers']['moto']}. In the same run, a bare ASGI handler answers in {_ms(floor)} ms and a bare durable "
        f"commit takes {_ms(commit)} ms. {_machine(result)}\n"
    )


def _growth() -> str:
    text = ""
    for database, measured in _grown()["databases"].items():
        sizes = list(measured["p50_milliseconds"])
        rows = [
            [call, *(_ms(measured["p50_milliseconds"][size][call]) for size in sizes), f"{times:.2f}"]
            for call, times in measured["times_the_smallest"].items()
        ]
        title = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}[database]
        table = _markdown([f"{title}, p50, ms", *(f"{int(size):,}" for size in sizes), "growth"], rows)
        text += f"{table}\n{_machine(measured)}\n\n"
    return text


def _size() -> str:
    rows = []
    for database, measured in _grown()["databases"].items():
        size, facts = list(measured["sizes"].items())[-1]
        rows.append(
            [
                f"{ {'sqlite': 'SQLite', 'postgresql': 'PostgreSQL'}[database] }, {int(size):,} versions",
                f"{facts['bytes_per_version']:,}",
                f"{facts['bytes_per_version_without_indexes']:,}",
                f"{facts['idle_megabytes']:.0f}",
                f"{facts['megabytes_after']:.0f}",
                f"{facts['start_to_first_answer_seconds']:.2f}",
            ]
        )
    head = ["", "bytes a version", "without indexes", "MB idle", "MB after the calls", "seconds to the first answer"]
    return _markdown(head, rows)


def _concurrent() -> str:
    result = _result("concurrent_registrations")
    rates, ratios = result["durable_registrations_per_second_by_clients"], result["times_one_at_a_time"]
    clients = list(next(iter(rates.values())))
    rows = [[disk, *(f"{rates[disk][one]:,}" for one in clients), f"{ratios[disk]['16']:.1f}"] for disk in rates]
    text = _markdown(["registrations a second", *(f"{one} clients" for one in clients), "16 to 1"], rows)
    return f"{text}\n{_machine(result)}\n"


def _serving() -> str:
    result = _result("invoke_endpoint")
    rows = []
    for name, title in (("modelyard", "InvokeEndpoint"), ("mlflow", "`mlflow models serve`"), ("ray", "Ray Serve")):
        found = result[name]
        p50, rate = found["p50_milliseconds"], found["requests_per_second"]
        shown = [_ms(p50["served"]), _ms(p50["direct"]), _ms(found["p50_added_milliseconds"])]
        rows.append([title, *shown, f"{rate['served']:,.0f}", f"{rate['direct']:,.0f}", f"{found['throughput_ratio']:.0%}"])
    head = ["", "p50, ms", "directly", "added", "requests a second", "directly", "of it"]
    steps = ("deploy", "update", "roll back", "restore")
    times, aims = result["seconds_until_in_service"], result["aims_in_seconds"]
    lives = [
        [step, f"{times[step]:.2f}", f"{times[f'{step} of scikit-learn']:.2f}", f"{aims[step]:.0f}" if step in aims else ""]
        for step in steps
    ]
    life = _markdown(["seconds until InService", "a program that starts at once", "the model of scikit-learn", "aim"], lives)
    versions = f"MLflow {result['peers']['mlflow']}, one worker; Ray Serve {result['peers']['ray']}, one replica"
    return f"{_markdown(head, rows)}\n{life}\n{versions}. {_machine(result)}\n"


def _load() -> str:
    result = _result("endpoint_under_load")
    spent, latency = result["seconds_of_operations"], result["milliseconds"]
    rows = [
        [kind, str(result["operations"].get(kind, 0)), f"{one['median']:.2f}", f"{one['longest']:.2f}"]
        for kind, one in spent.items()
    ]
    table = _markdown(["operation", "times", "median, s", "longest, s"], rows)
    return (
        f"{table}\n{result['requests']:,} requests, {result['failed']} failed; {result['workers_killed']} workers killed in"
        f" {result['seconds']:.0f} seconds. p50 {latency['p50']:.0f} ms, p99 {latency['p99']:,.0f} ms, longest"
        f" {latency['longest']:,.0f} ms. {_machine(result)}\n"
    )


def _machine(result: dict[str, Any]) -> str:
    machine = result["machine"]
    return (
        f"{machine['cores']} cores ({machine['processor']}), Python {machine['python']}; the disk flushes in "
        f"{machine['disk_flush_milliseconds']:.1f} ms; load average {machine['load_average']:.1f} before and "
        f"{result['load_average_at_the_end']:.1f} at the end."
    )


TABLES = {
    "peers": _peers,
    "growth": _growth,
    "size": _size,
    "concurrent": _concurrent,
    "serving": _serving,
    "load": _load,
}

if __name__ == "__main__":
    main()
