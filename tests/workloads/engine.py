"""A container engine of the tests' own: podman, with images and containers in a folder that goes with it."""

import fcntl
import gc
import io
import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import docker
import pytest

PACKAGES = ("podman", "runc", "busybox-static")
FLAGS = ("--runtime", "runc", "--cgroup-manager=cgroupfs")
SERVES = r"""#!/bin/sh
read -r method path rest
length=0
while read -r line; do
    line=$(printf %s "$line" | tr -d '\r')
    [ -z "$line" ] && break
    case "$line" in [Cc]ontent-[Ll]ength:*) length=${line#*: } ;; esac
done
answer=
if [ "$method" = POST ]; then
    answer="$(cat /opt/ml/model/word.txt):$(head -c "$length")"
    echo "asked" >&2
fi
printf 'HTTP/1.1 200 OK\r\nContent-Length: %s\r\nConnection: close\r\n\r\n%s' "${#answer}" "$answer"
"""
SERVE = "#!/bin/sh\necho serving\nexec nc -ll -p ${SAGEMAKER_BIND_TO_PORT:-8080} -e /bin/one\n"
APPLETS = ("sh", "cat", "head", "tr", "printf", "nc", "echo", "sleep", "id", "ls")


def install() -> str:
    """See that podman is there; why it is not, or nothing."""
    if all(shutil.which(name) for name in ("podman", "runc")) and Path("/bin/busybox").exists():
        return ""
    if os.getuid() != 0 or shutil.which("apt-get") is None:
        return f"needs {', '.join(PACKAGES)}, which only root can install"
    with Path(tempfile.gettempdir(), "modelyard-tests-apt.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run(["apt-get", "update", "-qq"], capture_output=True, check=False, timeout=300)
        command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES]
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=600)
    return "" if done.returncode == 0 else f"{', '.join(PACKAGES)} cannot be installed: {done.stderr[-300:]}"


@contextmanager
def podman() -> Iterator[str]:
    """The address of an engine. Skips the test where there can be none."""
    if reason := install():
        pytest.skip(reason)
    folder = Path(tempfile.mkdtemp(prefix="engine-"))
    command = ["podman", *FLAGS, "--root", str(folder / "storage"), "--runroot", str(folder / "run")]
    address = f"unix://{folder}/podman.sock"
    with (folder / "log").open("wb") as log:
        # Where it is started it leaves a file when a container runs out of memory.
        service = subprocess.Popen([*command, "system", "service", "--time", "0", address], stdout=log, stderr=log, cwd=folder)
    try:
        if reason := _why_not(address, service, folder / "log"):
            pytest.skip(reason)
        yield address
    finally:
        gc.collect()  # what the engine's library left open, while that is no failure of a test
        subprocess.run([*command, "rm", "--all", "--force", "--time", "0"], capture_output=True, check=False, timeout=60)
        service.send_signal(signal.SIGTERM)
        service.wait(30)
        subprocess.run([*command, "system", "reset", "--force"], capture_output=True, check=False, timeout=60)
        shutil.rmtree(folder, ignore_errors=True)


def _why_not(address: str, service: "subprocess.Popen[bytes]", log: Path) -> str:
    deadline = time.monotonic() + 60
    while service.poll() is None and time.monotonic() < deadline:
        try:
            with client_of(address):
                return ""
        except docker.errors.DockerException:
            time.sleep(0.1)
    return f"podman does not run here: {log.read_text()[-300:]}"


def client_of(address: str) -> Any:
    """A client of an engine, to be closed."""
    return closing(docker.APIClient(base_url=address, version="auto", timeout=60))


def image_of_a_shell(client: Any, name: str) -> str:
    """Have the engine know an image that keeps the contract of a container with nothing but a shell; the image's digest."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as archive:
        _file(archive, "bin/busybox", Path("/bin/busybox").read_bytes())
        _file(archive, "bin/one", SERVES.encode())
        _file(archive, "bin/serve", SERVE.encode())
        for applet in APPLETS:
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(link)
    client.import_image_from_data(written.getvalue(), repository=name, changes=["ENV PATH=/bin"])
    return str(client.inspect_image(name)["Id"])


def _file(archive: tarfile.TarFile, path: str, content: bytes) -> None:
    entry = tarfile.TarInfo(path)
    entry.size, entry.mode = len(content), 0o755
    archive.addfile(entry, io.BytesIO(content))
