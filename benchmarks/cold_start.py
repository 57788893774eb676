"""Claim: a request to a serverless variant that sleeps is answered within 1 s (p50), by a model of scikit-learn within 4 s.

Of each image one endpoint, whose workers go as soon as they are idle. Again and again it is waited until there is none, and a
request is timed from the call to the answer: a sandbox is made, the program started, its model loaded, `/ping` answered, and
then the request. Beside that, how long a request to a worker takes that is awake.

* `modelyard/program`: a server of Python's standard library;
* `scikit-learn`: the framework image, whose environment is built first, with a model that is loaded by joblib.

    python -m benchmarks.cold_start [--rounds 15] [--output FILE]
"""

import argparse
import io
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import joblib
from benchmarks.common import machine
from sklearn.linear_model import LogisticRegression
from tests.endpoints import Deployer, eventually, packed, program
from tests.running import RunningYard
from tests.workloads.inside import DATA, environment

RESULTS = Path(__file__).parent / "results" / "cold_start.json"
SCIKIT_LEARN = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
QUICK = """
class Quick(Handler):
    wbufsize = 65536
    disable_nagle_algorithm = True
Handler = Quick
"""
CODE = """
import os
import joblib

def model_fn(folder):
    return joblib.load(os.path.join(folder, "model.joblib"))
"""
MOST = {"modelyard/program": 1.0, "scikit-learn": 4.0}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    environment("scikit-learn-1.2-1")
    with tempfile.TemporaryDirectory(prefix="modelyard-bench-") as place:
        result = _measure(Path(place), arguments.rounds)
    text = json.dumps(result, indent=2)
    print(text)
    arguments.output.write_text(text + "\n")
    if not result["holds"]:
        print("the claim does not hold in this run", file=sys.stderr)


def _measure(place: Path, rounds: int) -> dict[str, Any]:
    yard = RunningYard(place / "data", log_level="warning", serverless_idle_seconds=0.05)
    (yard.data / "images").symlink_to(DATA / "images")
    yard.start()
    try:
        deployer = Deployer(yard, "cold")
        deployer.model("modelyard-program", program(QUICK))
        container = {"Image": SCIKIT_LEARN, "ModelDataUrl": deployer.upload("scikit-learn", _scikit_learn())}
        deployer.sagemaker.create_model(ModelName=deployer.named("scikit-learn"), PrimaryContainer=container)
        figures = {image: _times(deployer, image.replace("/", "-"), rounds) for image in MOST}
    finally:
        yard.stop()
    return {
        "claim": "a request to a serverless variant that sleeps is answered within 1 s (p50), by scikit-learn within 4 s",
        "holds": all(figures[image]["cold_p50_seconds"] <= most for image, most in MOST.items()),
        **figures,
        "rounds": rounds,
        "machine": machine.facts(),
    }


def _scikit_learn() -> bytes:
    model = io.BytesIO()
    joblib.dump(LogisticRegression().fit([[0.0], [1.0]], [0, 1]), model)
    return packed(**{"model.joblib": model.getvalue(), "code/inference.py": CODE})


def _times(deployer: Deployer, model: str, rounds: int) -> dict[str, Any]:
    name = deployer.named(model)
    serverless = {"MemorySizeInMB": 2048, "MaxConcurrency": 1}
    variant = {"VariantName": "AllTraffic", "ModelName": name, "ServerlessConfig": serverless}
    deployer.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    deployer.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    deployer.settled(name, seconds=120)
    cold, warm = [], []
    for _ in range(rounds):
        eventually(lambda: deployer.described(name)["ProductionVariants"][0]["CurrentInstanceCount"] == 0)
        time.sleep(0.5)  # until the worker before is gone
        cold.append(_seconds(deployer, name))
        warm.append(_seconds(deployer, name))
    return {
        "cold_p50_seconds": round(statistics.median(cold), 3),
        "cold_max_seconds": round(max(cold), 3),
        "warm_p50_seconds": round(statistics.median(warm), 4),
        "cold_seconds": [round(one, 3) for one in cold],
    }


def _seconds(deployer: Deployer, name: str) -> float:
    began = time.perf_counter()
    deployer.invoke(name, b"0.5\n", ContentType="text/csv")
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
