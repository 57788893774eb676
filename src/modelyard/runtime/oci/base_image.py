"""The image for workloads that have none: empty but for what the sandbox of a process has, too (`runtime/base.py`).

What such a workload sees of this machine, programs and libraries, is mounted into it.
"""

import hashlib
import io
import tarfile
from collections.abc import Iterable
from typing import Any

from modelyard.runtime.base import TEXTS
from modelyard.runtime.oci.engine import asked

REPOSITORY = "localhost/modelyard/base"
FOLDERS = ("tmp", "proc", "sys", "dev", "etc", "run", "opt")


def base_image(client: Any, links: Iterable[tuple[str, str]]) -> str:
    """The name of the image, made if the engine has none. Raises CannotRun."""
    content = _archive(links)
    name = f"{REPOSITORY}:{hashlib.sha256(content).hexdigest()[:16]}"
    with asked("look for an image"):
        known = client.images(name=name, quiet=True)
    if not known:
        with asked("make an image"):
            client.import_image_from_data(content, repository=name)
    return name


def _archive(links: Iterable[tuple[str, str]]) -> bytes:
    """Its only layer. The same content always gives the same bytes."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as archive:
        for folder in FOLDERS:
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            archive.addfile(entry)
        for path, target in links:
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            archive.addfile(entry)
        for path, text in TEXTS:
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.size, entry.mode = len(text.encode()), 0o644
            archive.addfile(entry, io.BytesIO(text.encode()))
    return written.getvalue()
