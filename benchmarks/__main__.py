"""Run the benchmarks one after the other: `make bench`.

    python -m benchmarks [--million] [NAME …]

Each is a program of its own, which writes its figures to `benchmarks/results/`; then the picture
and the tables of docs/benchmarks.md are made anew. Compare figures of one run only, and mind `load_average` in them: a
machine that does other things shows it in every figure.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).parent
NAMES = (
    "validate_create_model_package",
    "verify_signature",
    "authorise",
    "storage_layers",
    "group_commit",
    "interpreter_lock",
    "front_door",
    "invoke_endpoint",
    "invoke_on_ray",
    "cold_start",
    "endpoint_under_load",
    "object_memory",
    "audit_cost",
    "event_delivery",
    "concurrent_registrations",
    "registry_against_peers",
    "registry_growth",
)
MILLION = ("--sizes", "1000,10000,100000,1000000", "--output", str(FOLDER / "results" / "registry_growth_million.json"))


def main() -> int:
    """Run what is asked for; 1 when a benchmark failed or its claim does not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(NAMES)}; all when none is given")
    parser.add_argument("--million", action="store_true", help="grow the registry to a million versions")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(NAMES):
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}")
    failed = [name for name in arguments.names or NAMES if not _run(name, million=arguments.million)]
    for shown in ("draw", "tables"):
        subprocess.run([sys.executable, "-m", f"benchmarks.{shown}"], check=True)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _run(name: str, *, million: bool) -> bool:
    """Run one benchmark; whether it succeeded."""
    output = ("--output", str(FOLDER / "results" / f"{name}.json"))
    options = MILLION if million and name == "registry_growth" else output
    print(f"{name} …", file=sys.stderr, flush=True)
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *options], stdout=subprocess.DEVNULL, check=False)
    print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
