"""Other servers of the same model: MLflow's and Ray Serve, each in an environment of its own."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.common.client import Prepared, prepared
from benchmarks.peers.environments import environment
from benchmarks.peers.processes import free_port, serving

HERE = Path(__file__).parent
START_SECONDS = 240
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "RAY_USAGE_STATS_ENABLED": "0"}


@contextmanager
def mlflow_model(place: Path, row: bytes) -> Iterator[tuple[int, list[Prepared]]]:
    """`mlflow models serve`: its port, and what asks it about a row."""
    python, port, saved = environment("mlflow") / "python", free_port(), place / "mlflow-model"
    subprocess.run([python, HERE / "save_for_mlflow.py", saved], check=True, capture_output=True, env=QUIET)
    command = [
        environment("mlflow") / "mlflow", "models", "serve", "--model-uri", str(saved), "--env-manager", "local",
        "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
    ]  # fmt: skip
    path = f"{environment('mlflow')}:/usr/bin:/bin"
    with serving(command, port, place / "mlflow.log", {**QUIET, "PATH": path}, path="/ping", seconds=START_SECONDS):
        header = ",".join(f"x{number}" for number in range(row.count(b",") + 1)).encode()
        yield port, [prepared("POST", "/invocations", {"Content-Type": "text/csv"}, header + b"\n" + row)]


@contextmanager
def ray_model(place: Path, row: bytes) -> Iterator[tuple[int, list[Prepared]]]:
    """A deployment of one replica in Ray Serve: its port, and what asks it about a row."""
    port = free_port()
    command = [environment("ray") / "python", HERE / "serve_with_ray.py", str(port)]
    with serving(command, port, place / "ray.log", QUIET, path="/invocations", seconds=START_SECONDS):
        yield port, [prepared("POST", "/invocations", {"Content-Type": "text/csv"}, row)]


PEERS = {"mlflow": mlflow_model, "ray": ray_model}
