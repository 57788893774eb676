"""MLflow's tracking and registry server on SQLite, filled with the same versions, and the calls that do the same there.

A version is a model version with the metadata and the approval as tags, and a run with the metrics, as MLflow's own clients make
them. The rows are inserted into the schema that `mlflow db upgrade` makes; `check` asks the running server about them.
"""

import json
import sqlite3
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.common import version
from benchmarks.common.calls import Call
from benchmarks.common.client import Connection, Prepared, answered, at_least, plain
from benchmarks.peers.environments import environment
from benchmarks.peers.processes import free_port, serving

API = "/api/2.0/mlflow"
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
CHUNK = 10_000


def fill(folder: Path, count: int) -> float:
    """Make the database with `count` versions; the seconds it took."""
    began = time.perf_counter()
    database = folder / "mlflow.db"
    command = [environment("mlflow") / "mlflow", "db", "upgrade", f"sqlite:///{database}"]
    subprocess.run(command, check=True, capture_output=True, cwd=folder)
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        _insert_models(connection)
        for start in range(0, count, CHUNK):
            _insert_versions(connection, range(start, min(count, start + CHUNK)), count)
        connection.commit()
    return time.perf_counter() - began


@contextmanager
def server(folder: Path) -> Iterator[tuple[int, int]]:
    """Serve the database with one worker; the port and the process id."""
    port = free_port()
    command = [
        environment("mlflow") / "mlflow", "server", "--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}",
        "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
    ]  # fmt: skip
    with serving(command, port, folder / "mlflow.log", QUIET, path="/health") as pid:
        yield port, pid


def check(port: int, numbers: Sequence[int]) -> None:
    """Raise unless the server knows versions as they were inserted."""
    connection = Connection(port)
    for number in numbers:
        status, body = connection.send(describe([number]).requests[0])
        answered(status, body)
        told = json.loads(body)["model_version"]
        tags = {tag["key"]: tag["value"] for tag in told["tags"]}
        if told["source"] != version.artifact(number) or tags != _tags(number) or told["status"] != "READY":
            raise RuntimeError(f"MLflow tells of version {number}: {told}")
        status, body = connection.send(plain("GET", f"{API}/runs/get", {"run_id": told["run_id"]}))
        answered(status, body)
        metrics = {metric["key"]: metric["value"] for metric in json.loads(body)["run"]["data"]["metrics"]}
        if metrics != version.figures(number):
            raise RuntimeError(f"MLflow tells of the run of version {number}: {metrics}")
    connection.close()


# --- the calls --------------------------------------------------------------------------------------------------------------


def describe(numbers: Sequence[int]) -> Call:
    """Get a model version."""
    return _gets("model-versions/get", [_named(number) for number in numbers])


def create(numbers: Sequence[int]) -> Call:
    """Create a model version with its tags: what registers, without the calls for a run and its metrics."""
    return _posts(
        "model-versions/create",
        [
            {
                "name": version.place(number)[0],
                "source": version.artifact(number),
                "description": version.description(number),
                "tags": [{"key": key, "value": value} for key, value in _tags(number).items()],
            }
            for number in numbers
        ],
    )


def newest_approved(numbers: Sequence[int]) -> Call:
    """The newest 100 model versions of a model that are tagged as approved."""
    call = _gets(
        "model-versions/search",
        [
            {
                "filter": f"name = '{version.place(number)[0]}' and tags.approval = 'Approved'",
                "order_by": "creation_timestamp DESC",
                "max_results": version.PAGE,
            }
            for number in numbers
        ],
    )
    return Call(call.requests, at_least("model_versions", version.PAGE))


def search_metric(numbers: Sequence[int], count: int) -> Call:
    """The runs with the best accuracy. To get from there to model versions takes another call."""
    request = {
        "experiment_ids": ["0"], "filter": f"metrics.accuracy > {version.best_accuracy(count)}", "max_results": 10,
    }  # fmt: skip
    return Call(_posts("runs/search", [request] * len(numbers)).requests, at_least("runs", 5))


def search_metadata(numbers: Sequence[int]) -> Call:
    """The two model versions of a ticket."""
    requests = [{"filter": f"tags.ticket = '{version.ticket(number)}'", "max_results": 10} for number in numbers]
    return Call(_gets("model-versions/search", requests).requests, at_least("model_versions", 2))


def approve(numbers: Sequence[int]) -> Call:
    """Tag a model version as approved."""
    return _posts("model-versions/set-tag", [{**_named(number), "key": "approval", "value": "Approved"} for number in numbers])


def _gets(path: str, contents: Sequence[dict[str, Any]]) -> Call:
    return Call([plain("GET", f"{API}/{path}", content) for content in contents])


def _posts(path: str, contents: Sequence[dict[str, Any]]) -> Call:
    requests: list[Prepared] = [plain("POST", f"{API}/{path}", content) for content in contents]
    return Call(requests)


def _named(number: int) -> dict[str, Any]:
    name, number_in_group = version.place(number)
    return {"name": name, "version": str(number_in_group)}


def _tags(number: int) -> dict[str, str]:
    return {**version.metadata(number), "approval": version.approval(number)}


# --- the rows ---------------------------------------------------------------------------------------------------------------


def _insert_models(connection: sqlite3.Connection) -> None:
    now = int(time.time() * 1000)
    rows = [{"name": name, "creation_time": now, "last_updated_time": now, "description": ""} for name in version.GROUPS]
    _insert(connection, "registered_models", rows)
    if not connection.execute("SELECT 1 FROM experiments WHERE experiment_id = 0").fetchone():
        experiment = {"experiment_id": 0, "name": "Default", "artifact_location": "mlflow-artifacts:/0"}
        times = {"creation_time": now, "last_update_time": now}
        _insert(connection, "experiments", [{**experiment, **times, "lifecycle_stage": "active"}])


def _insert_versions(connection: sqlite3.Connection, numbers: range, count: int) -> None:
    rows: dict[str, list[dict[str, Any]]] = {
        table: [] for table in ("runs", "tags", "metrics", "latest_metrics", "model_versions", "model_version_tags")
    }
    until = int(time.time() * 1000)
    for number in numbers:
        created, run = until - (count - number) * 5000, f"{number:032x}"
        rows["runs"].append(_run(run, number, created))
        rows["tags"].append({"key": "mlflow.runName", "value": f"run-{number}", "run_uuid": run})
        for name, value in version.figures(number).items():
            metric = {"key": name, "value": value, "timestamp": created, "step": 0, "is_nan": 0, "run_uuid": run}
            rows["metrics"].append(metric)
            rows["latest_metrics"].append(metric)
        rows["model_versions"].append(_model_version(run, number, created))
        name, number_in_group = version.place(number)
        rows["model_version_tags"] += [
            {"key": key, "value": value, "name": name, "version": number_in_group} for key, value in _tags(number).items()
        ]
    for table, made in rows.items():
        _insert(connection, table, made)


def _run(run: str, number: int, created: int) -> dict[str, Any]:
    return {
        "run_uuid": run,
        "name": f"run-{number}",
        "source_type": "UNKNOWN",
        "source_name": "",
        "entry_point_name": "",
        "user_id": "",
        "status": "FINISHED",
        "start_time": created,
        "end_time": created + 1000,
        "source_version": "",
        "lifecycle_stage": "active",
        "artifact_uri": f"mlflow-artifacts:/0/{run}/artifacts",
        "experiment_id": 0,
    }


def _model_version(run: str, number: int, created: int) -> dict[str, Any]:
    name, number_in_group = version.place(number)
    return {
        "name": name,
        "version": number_in_group,
        "creation_time": created,
        "last_updated_time": created,
        "description": version.description(number),
        "current_stage": "None",
        "source": version.artifact(number),
        "run_id": run,
        "status": "READY",
        "run_link": "",
        "storage_location": version.artifact(number),
    }


def _insert(connection: sqlite3.Connection, table: str, rows: Sequence[dict[str, Any]]) -> None:
    columns = list(rows[0])
    sql = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join(':' + column for column in columns)})"
    connection.executemany(sql, rows)
