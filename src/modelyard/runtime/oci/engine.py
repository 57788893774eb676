"""The container engine: docker, or podman through Docker's API."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from modelyard.runtime.workload import CannotRun

SOCKETS = ("/var/run/docker.sock", "{runtime}/docker.sock", "{runtime}/podman/podman.sock", "/run/podman/podman.sock")
"""Where engines listen, those that people mean first."""
SECONDS = 60.0
"""How long the engine may take to answer."""
NOT_INSTALLED = 'Containers need the Python package `docker`, which is not installed: `pip install "modelyard[oci]"`.'
NOT_THERE = (
    "No container engine answers at {address} ({reason}). Start docker, or podman's service with"
    " `podman system service --time 0 unix:///run/podman/podman.sock`, and name it with the setting `container_engine`."
)


class Engine:
    """One engine, by its address."""

    def __init__(self, address: str = "", environment: Mapping[str, str] | None = None) -> None:
        self.address = address or _found(os.environ if environment is None else environment)
        self._version = "auto"
        """Of the API; asked for once, since podman takes a second to say it."""

    def client(self, seconds: float | None = SECONDS) -> Any:
        """A `docker.APIClient`, for one thread. Raises CannotRun."""
        try:
            import docker
        except ImportError as error:
            raise CannotRun(NOT_INSTALLED) from error
        try:
            client = docker.APIClient(base_url=self.address, timeout=seconds, version=self._version)
        except (docker.errors.DockerException, OSError) as error:
            raise CannotRun(NOT_THERE.format(address=self.address, reason=said(error))) from error
        self._version = client.api_version
        return client


@contextmanager
def asked(what: str) -> Iterator[None]:
    """Have errors of the engine told as CannotRun, with what was asked for."""
    import docker
    import requests

    try:
        yield
    except (docker.errors.DockerException, requests.RequestException, OSError) as error:
        raise CannotRun(f"The container engine cannot {what}: {said(error)}") from error


def said(error: Exception) -> str:
    """What an error of the engine says, on one line."""
    text = getattr(error, "explanation", None) or str(error)
    return " ".join(str(text).split()).rstrip(".")


def _found(environment: Mapping[str, str]) -> str:
    """The address of the engine of this machine."""
    if "DOCKER_HOST" in environment:
        return environment["DOCKER_HOST"]
    runtime = environment.get("XDG_RUNTIME_DIR", f"/run/user/{os.getuid()}")
    places = [place.format(runtime=runtime) for place in SOCKETS]
    return f"unix://{next((place for place in places if Path(place).exists()), places[0])}"
