"""Claim: under 200 requests a second, 50 operations and a worker killed each second fail no request.

The requests are signed InvokeEndpoint calls of a process of its own, sent when they are due whether those before are answered or
not (an open loop). The endpoint has two variants of two workers each, small models that take 10 ms; meanwhile it is updated (all
at once, by canary, in linear steps, rolling), scaled out and in, and rolled back, and each second one of its workers is killed,
as soon as two of each variant are healthy. A request has failed when it is not answered with 200, or with the answer to another.

    python -m benchmarks.endpoint_under_load [--operations 50] [--per-second 200] [--pause 0.7] [--output FILE]
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.common import machine
from tests.endpoints import Deployer
from tests.open_loop import OpenLoop
from tests.running import RunningYard
from tests.unrest import Killer, Unrest

RESULTS = Path(__file__).parent / "results" / "endpoint_under_load.json"


def main() -> int:
    """1 when a request failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--operations", type=int, default=50)
    parser.add_argument("--per-second", type=float, default=200.0)
    parser.add_argument("--pause", type=float, default=0.7, help="seconds between two operations")
    parser.add_argument("--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="modelyard-bench-") as place:
        result = _measure(Path(place), arguments)
    text = json.dumps(result, indent=2)
    print(text)
    arguments.output.write_text(text + "\n")
    if not result["holds"]:
        print("the claim does not hold in this run", file=sys.stderr)
    return 0 if result["holds"] else 1


def _measure(place: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    facts = machine.facts()
    yard = RunningYard(place / "data", log_level="warning")
    yard.start()
    try:
        deployer = Deployer(yard, "bench")
        unrest = Unrest(deployer, arguments.pause)
        began = time.monotonic()
        with OpenLoop(yard, unrest.endpoint, arguments.per_second) as load, Killer(deployer, unrest.endpoint) as killer:
            unrest.go_through(arguments.operations)
        seconds = time.monotonic() - began
    finally:
        yard.stop()
    told = load.told
    return {
        "claim": f"{arguments.operations} operations and a worker killed each second fail no request, of"
        f" {arguments.per_second:.0f} a second",
        "holds": told.failures == 0 and sum(told.answers.values()) == told.sent,
        "seconds": round(seconds, 1),
        "requests": told.sent,
        "requests_a_second": round(told.sent / seconds, 1),
        "failed": told.failures,
        "failures": told.failed,
        "late": told.late,
        "workers_killed": killer.killed,
        "operations": dict(unrest.done),
        "operations_that_left_the_old_fleet": unrest.not_done,
        "seconds_of_operations": {
            kind: {"median": round(statistics.median(spent), 2), "longest": max(spent)} for kind, spent in unrest.seconds.items()
        },
        "milliseconds": told.milliseconds,
        "machine": facts,
        "load_average_at_the_end": round(os.getloadavg()[0], 2),
    }


if __name__ == "__main__":
    sys.exit(main())
