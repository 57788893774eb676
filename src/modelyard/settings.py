"""The settings of a server. Each can be given in `modelyard.toml` in the data directory, or as `MODELYARD_<NAME>`.

What is given nearer wins: an argument over the environment, the environment over the file, the file over the default.
"""

import difflib
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from urllib.parse import urlsplit

FILE_NAME = "modelyard.toml"
PREFIX = "MODELYARD_"
OTHERS = ("MODELYARD_SERVICE_", "MODELYARD_PORT_", "MODELYARD_TEST_", "MODELYARD_NODE_")
"""Variables that are not settings: Kubernetes makes the first two for a service of this name, the tests use the third, and nodes
of a cluster read the last (`runtime.cluster.cache`)."""


class SettingsError(Exception):
    """A setting is wrong; the message is one sentence that says which and why."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything an operator may choose; the defaults make a server that runs by itself on one machine."""

    data: Path
    """The data directory: database, objects, keys, certificates."""
    host: str = "127.0.0.1"
    """The address to listen on; one that other machines can reach only where that is wanted."""
    port: int = 9100
    """The port for everything: plain HTTP, TLS and the proxy's CONNECT; 0 takes a free one."""
    region: str = "us-east-1"
    """The region `modelyard env` tells clients to use; requests may be signed for any."""
    database: str = ""
    """Empty for SQLite in the data directory, or a `postgresql://` address."""
    blobs: str = ""
    """Empty for a directory in the data directory, the path of another directory, or `s3://bucket/prefix`."""
    blobs_endpoint: str = ""
    """The endpoint of the S3 that holds the bytes, when it is not AWS."""
    threads: int = 8
    """Threads for operations that look at many rows, and for all reads when the database is PostgreSQL."""
    streams: int = 64
    """Threads for objects on their way in or out."""
    connections: int = 4096
    """Connections held at a time; beyond them the one that has waited longest without a request is closed."""
    max_request_bytes: int = 4 * 1024 * 1024
    """The largest body of a request that is not a stream, also once it is unpacked."""
    header_seconds: float = 20.0
    """How long a client may take to send the head of a request, and to shake hands for TLS."""
    body_seconds: float = 60.0
    """How long a client may pause while it sends a body or takes an answer."""
    idle_seconds: float = 75.0
    """How long a connection is kept open for its next request."""
    stop_seconds: float = 30.0
    """How long requests that are under way may take to finish once the server is told to stop."""
    clock_skew_seconds: float = 900.0
    """How far the date of a signature may be from the server's clock."""
    events_days: float = 30.0
    """How many days events are kept for readers of the change feed; past states and the audit trail are kept for ever."""
    events_rows: int = 1_000_000
    """How many events are kept at most."""
    metrics: str = "loopback"
    """Who may read `/_modelyard/metrics`: `loopback` (this machine), `everyone` or `nobody`."""
    webhooks: str = "public"
    """Where events may be sent: `public` (addresses of the internet) or `private` (also this machine and private networks)."""
    function_environments: int = 16
    """How many Lambda functions run or are kept warm at a time; each takes some 50 MB and more, up to its MemorySize."""
    function_idle_seconds: float = 300.0
    """How long the environment of a function is kept warm with nothing to do."""
    instance_memory_mib: int = 4096
    """The memory that each container of an endpoint's instance may use, in MiB, whatever instance type it is said to be."""
    serverless_idle_seconds: float = 300.0
    """How long a worker of a serverless variant is kept with nothing to do."""
    serverless_start_seconds: float = 60.0
    """How long a request to a serverless variant waits for a worker that starts."""
    runtime: str = "process"
    """Where models and jobs run: `process` (sandboxes of this machine), `oci` (containers of docker or podman) or `ray`
    (sandboxes on the nodes of a Ray cluster)."""
    container_engine: str = ""
    """The address of docker or podman for `oci`, such as `unix:///run/podman/podman.sock`; empty for what `DOCKER_HOST` says, or
    for the engine of this machine."""
    multi_model_disk_mib: int = 8192
    """How much of the disk the models of each multi-model container may take, in MiB; those not asked for longest go first."""
    ray_address: str = "auto"
    """Where the cluster is for `ray`: `auto` for the one that this machine is part of, `HOST:PORT` or `ray://HOST:PORT`."""
    ray_namespace: str = "modelyard"
    """The namespace of the cluster in which workloads are."""
    ray_cpus: float = 1.0
    """The CPUs that each container takes in the cluster's books; its memory is `instance_memory_mib` and half of that."""
    ray_wait_seconds: float = 60.0
    """How long a container waits for a node with room for it; longer where the cluster grows by itself."""
    log_format: str = "json"
    """`json` or `text`."""
    log_level: str = "info"
    """`debug`, `info`, `warning` or `error`."""


def load_settings(data: Path, environment: Mapping[str, str], **given: object) -> Settings:
    """The settings for the data directory `data`: what is `given` and not None, else the environment's, the file's, the default.

    Raises SettingsError with one sentence for the first mistake.
    """
    values: dict[str, object] = {}
    for source, name, value in _everything(data, environment, given):
        values[name] = _checked(source, name, value)
    return Settings(data=data, **values)  # type: ignore[arg-type]


def _everything(data: Path, environment: Mapping[str, str], given: Mapping[str, object]) -> Iterator[tuple[str, str, object]]:
    """Where each setting comes from, its name and its value; later ones win."""
    path = data / FILE_NAME
    for name, value in _file(path).items():
        yield f"`{_known(name, str(path))}` in {path}", name, value
    for variable, text in sorted(environment.items()):
        name = variable.removeprefix(PREFIX).lower()
        if variable.startswith(PREFIX) and not variable.startswith(OTHERS) and name != "data":
            yield variable, _known(name, "the environment", variable), _from_text(variable, name, text)
    for name, value in given.items():
        if value is not None:
            yield f"`{_known(name, 'the arguments')}`", name, value


def _file(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not valid TOML: {error}.") from error
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}.") from error


_TYPES: dict[str, type] = {field.name: field.type for field in fields(Settings) if isinstance(field.type, type)}


def _known(name: str, place: str, spelled: str = "") -> str:
    if name in _TYPES and name != "data":
        return name
    close = difflib.get_close_matches(name, _TYPES, n=1)
    hint = f"; did you mean `{close[0]}`?" if close else f"; there are {', '.join(sorted(set(_TYPES) - {'data'}))}."
    raise SettingsError(f"There is no setting `{spelled or name}`, which {place} has{hint}")


def _from_text(variable: str, name: str, text: str) -> object:
    wanted = _TYPES.get(name, str)
    try:
        return wanted(text.strip())
    except ValueError:
        raise SettingsError(f"{variable} must be {_NOUNS[wanted]}, not '{text}'.") from None


_NOUNS: dict[type, str] = {int: "a whole number", float: "a number", str: "a text"}


def _checked(source: str, name: str, value: object) -> object:
    wanted = _TYPES[name]
    if wanted is float and type(value) is int:
        value = float(value)
    if type(value) is not wanted:
        raise SettingsError(f"{source} must be {_NOUNS[wanted]}, not {value!r}.")
    if name in _RULES:
        allowed, sentence = _RULES[name]
        if not allowed(value):
            # An address may hold a password: it is not repeated.
            shown = "" if name in ("database", "blobs_endpoint") else f", not {value!r}"
            raise SettingsError(f"{source} must be {sentence}{shown}.")
    return value


def _between(low: float, high: float) -> Callable[[object], bool]:
    return lambda value: isinstance(value, int | float) and low <= value <= high


def _one_of(*words: str) -> tuple[Callable[[object], bool], str]:
    return lambda value: value in words, f"one of {', '.join(words)}"


def _address(*schemes: str) -> Callable[[object], bool]:
    def allowed(value: object) -> bool:
        if value == "":
            return True
        try:
            parts = urlsplit(str(value))
        except ValueError:
            return False
        return parts.scheme in schemes and (bool(parts.netloc) or parts.scheme.startswith(("postgres", "unix")))

    return allowed


_RAY = re.compile(r"(ray://)?[^/\s:]+:[0-9]{1,5}|(ray://)?\[[0-9a-fA-F:]+\]:[0-9]{1,5}")
_SECONDS = (_between(0.05, 86400), "between 0.05 and 86400 seconds")

_RULES: dict[str, tuple[Callable[[object], bool], str]] = {
    "host": (lambda value: bool(str(value).strip()), "the name or address to listen on"),
    "port": (_between(0, 65535), "a port between 0 and 65535"),
    "region": (
        lambda value: str(value).replace("-", "").isalnum() and str(value).isascii(),
        "the name of a region, such as us-east-1",
    ),
    "database": (_address("postgresql", "postgres"), "empty for SQLite, or an address that starts with postgresql://"),
    "blobs": (
        lambda value: "://" not in str(value) or _address("s3")(value),
        "empty for the data directory, the path of a directory, or s3://bucket/prefix",
    ),
    "blobs_endpoint": (_address("http", "https"), "empty for AWS, or an http:// or https:// address"),
    "threads": (_between(1, 1024), "between 1 and 1024"),
    "streams": (_between(1, 1024), "between 1 and 1024"),
    "connections": (_between(8, 1_000_000), "between 8 and 1000000"),
    "max_request_bytes": (_between(64 * 1024, 1024**3), "between 65536 (64 KiB) and 1073741824 (1 GiB)"),
    "header_seconds": _SECONDS,
    "body_seconds": _SECONDS,
    "idle_seconds": _SECONDS,
    "stop_seconds": _SECONDS,
    "clock_skew_seconds": (_between(1, 604800), "between 1 and 604800 seconds"),
    "events_days": (_between(0, 36500), "between 0 and 36500 days"),
    "events_rows": (_between(0, 1_000_000_000), "between 0 and 1000000000"),
    "metrics": _one_of("loopback", "everyone", "nobody"),
    "webhooks": _one_of("public", "private"),
    "function_environments": (_between(1, 1000), "between 1 and 1000"),
    "function_idle_seconds": _SECONDS,
    "instance_memory_mib": (_between(64, 16 * 1024 * 1024), "between 64 and 16777216 (16 TiB)"),
    "serverless_idle_seconds": _SECONDS,
    "serverless_start_seconds": _SECONDS,
    "runtime": _one_of("process", "oci", "ray"),
    "container_engine": (
        _address("unix", "http", "https", "tcp", "ssh"),
        "empty, or an address such as unix:///run/podman/podman.sock",
    ),
    "multi_model_disk_mib": (_between(1, 16 * 1024 * 1024), "between 1 and 16777216 (16 TiB)"),
    "ray_address": (
        lambda value: value == "auto" or _RAY.fullmatch(str(value)) is not None,
        "auto, HOST:PORT or ray://HOST:PORT",
    ),
    "ray_namespace": (lambda value: str(value).replace("-", "").replace("_", "").isalnum(), "a name of letters and digits"),
    "ray_cpus": (_between(0, 1024), "between 0 and 1024"),
    "ray_wait_seconds": (_between(1, 3600), "between 1 and 3600 seconds"),
    "log_format": _one_of("json", "text"),
    "log_level": _one_of("debug", "info", "warning", "error"),
}
