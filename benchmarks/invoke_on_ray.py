"""Claim: an endpoint on a node of a Ray cluster costs at most 1 ms more (p50 of InvokeEndpoint) than one on the server's machine.

In one run, on one machine, alternating between

* `process`: a server whose endpoint runs in a sandbox beside it;
* `ray`: a server whose endpoint runs on a node of a cluster, all of whose nodes are on this machine too: what a network adds is
  not in it, and what two machines would share is one's alone.

The model answers what it is asked. Requests are signed ahead of time. It is timed as well how long it takes from CreateEndpoint
until DescribeEndpoint says InService.

    python -m benchmarks.invoke_on_ray [--seconds 3] [--rounds 5] [--connections 8] [--output FILE]
"""

import argparse
import json
import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.common import machine
from benchmarks.invoke_endpoint import ENDPOINT, ROW, SIGNED, _load, _seconds
from botocore.credentials import Credentials
from tests.endpoints import Deployer, program
from tests.open_loop import invocation
from tests.ray_cluster import RayCluster, RayYard
from tests.running import RunningYard

RESULTS = Path(__file__).parent / "results" / "invoke_on_ray.json"
MODEL = """
class Quick(Handler):
    wbufsize = 65536
    disable_nagle_algorithm = True
Handler = Quick
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="modelyard-bench-") as place:
        result = _measure(Path(place), arguments)
    text = json.dumps(result, indent=2)
    print(text)
    arguments.output.write_text(text + "\n")
    if not result["holds"]:
        print("the claim does not hold in this run", file=sys.stderr)


def _measure(place: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    with ExitStack() as stack:
        cluster = RayCluster(place / "ray")
        stack.callback(cluster.close)
        cluster.add("first")
        yards = {
            "process": RunningYard(place / "process", log_level="warning"),
            "ray": RayYard(place / "on-ray", cluster.address, cluster.token, log_level="warning"),
        }
        times, targets = {}, {}
        for name, yard in yards.items():
            yard.start()
            stack.callback(yard.stop)
            times[name] = _deployed(Deployer(yard, "bench"))
            targets[name] = (yard.port, _signed(yard))
        rounds = [{name: _load(*target, arguments) for name, target in targets.items()} for _ in range(arguments.rounds)]
    medians = {
        measure: {name: round(statistics.median(each[name][measure] for each in rounds), 3) for name in targets}
        for measure in ("p50_milliseconds", "p99_milliseconds", "requests_per_second")
    }
    added = medians["p50_milliseconds"]["ray"] - medians["p50_milliseconds"]["process"]
    return {
        "claim": "InvokeEndpoint: p50 at most 1 ms more on a node of a Ray cluster than on the server's machine",
        "holds": added <= 1.0,
        "p50_added_milliseconds": round(added, 3),
        **medians,
        "seconds_until_in_service": times,
        "connections": arguments.connections,
        "rounds": rounds,
        "machine": machine.facts(),
    }


def _signed(yard: RunningYard) -> list[bytes]:
    admin = yard.admin()
    keys, address = Credentials(admin.access_key_id, admin.secret_access_key), f"127.0.0.1:{yard.port}"
    return [invocation(address, keys, ENDPOINT, ROW) for _ in range(SIGNED)]


def _deployed(deployer: Deployer) -> float:
    """How long it takes to deploy the model, the second time: the first one starts what is started once."""
    deployer.model("e", program(MODEL))
    deployer.config("e")
    _created(deployer)
    deployer.delete(ENDPOINT)
    return _created(deployer)


def _created(deployer: Deployer) -> float:
    return _seconds(
        deployer,
        lambda: deployer.sagemaker.create_endpoint(EndpointName=ENDPOINT, EndpointConfigName=deployer.named("e")),
    )


if __name__ == "__main__":
    main()
