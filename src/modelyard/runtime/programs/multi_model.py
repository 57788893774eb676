"""Many models in one container: loaded, listed, invoked and unloaded over HTTP, as multi-model endpoints do."""

import gc
import json
import os
import sys
import threading
import traceback
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

from . import code
from .failure import StartFailure
from .http import Answer, Request
from .model import Model
from .settings import Settings

PAGE = 100
NO_ROOM = b"There is not enough memory for another model."
MOST_OF_IT = 0.8
"""Of the memory: above it no other model is loaded."""


class Models:
    """The models that are loaded."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._loaded: dict[str, tuple[str, Model | None, threading.Semaphore]] = {}

    def handle(self, request: Request) -> Answer:
        """Answer a request of the multi-model API."""
        path, _, query = request.target.partition("?")
        parts = [unquote(part) for part in path.strip("/").split("/")]
        if path == "/ping":
            return Answer(200)
        if parts == ["models"]:
            return self._load(request.body) if request.method == "POST" else self._list(parse_qs(query))
        if parts[0] != "models" or len(parts) not in (2, 3):
            return Answer(404, b"There is no such path.")
        if len(parts) == 3:
            return self._invoke(parts[1], request) if parts[2] == "invoke" else Answer(404, b"There is no such path.")
        return self._unload(parts[1]) if request.method == "DELETE" else self._describe(parts[1])

    def _load(self, body: bytes) -> Answer:
        try:
            asked = json.loads(body)
            name, url = asked["model_name"], asked["url"]
        except (ValueError, KeyError, TypeError):
            return Answer(400, b"The body must be JSON with model_name and url.")
        folder = Path(url)
        with self._lock:
            refusal = self._refusal(name, folder)
            if refusal is not None:
                return refusal
            self._loaded[name] = (url, None, threading.Semaphore(self._settings.threads))
        try:
            model = self._read(name, folder)
        except BaseException as error:
            with self._lock:
                self._loaded.pop(name, None)
            if isinstance(error, MemoryError):
                return Answer(507, NO_ROOM)
            traceback.print_exc(file=sys.stderr)
            return Answer(500, f"Model {name} cannot be loaded: {error}".encode())
        with self._lock:
            self._loaded[name] = (url, model, self._loaded[name][2])
        return _json({"status": f"Model {name} loaded."})

    def _refusal(self, name: str, folder: Path) -> "Answer | None":
        """Why a model is not loaded; None when that can be tried."""
        if not folder.is_dir():
            return Answer(404, f"{folder} is not there.".encode())
        if name in self._loaded:
            return Answer(409, f"Model {name} is already loaded.".encode())
        return Answer(507, NO_ROOM) if self._loaded and self._is_full(folder) else None

    def _is_full(self, folder: Path) -> bool:
        """Whether another model, if it takes the memory that its files do, would come near to the limit, beyond which all end."""
        if not self._settings.memory:
            return False
        needed = sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())
        return _used() + needed > self._settings.memory * MOST_OF_IT

    def _read(self, name: str, folder: Path) -> Model:
        own = folder / "code"
        program = code.program_in(own if own.is_dir() else None, "" if not own.is_dir() else self._settings.program)
        if program is None:
            return Model(self._settings, folder, None)
        if (own / "requirements.txt").is_file():
            raise StartFailure("requirements.txt is not for models of a multi-model endpoint, which share one environment.")
        return Model(self._settings, folder, code.import_apart(own, program, f"model_{abs(hash(name)):x}"))

    def _list(self, query: "dict[str, list[str]]") -> Answer:
        start = int(query.get("next_page_token", ["0"])[0] or 0) if query.get("next_page_token", ["0"])[0].isdecimal() else 0
        limit = query.get("limit", [""])[0]
        most = int(limit) if limit.isdecimal() and int(limit) > 0 else PAGE
        with self._lock:
            entries = [
                {"modelName": name, "modelUrl": url} for name, (url, model, _) in self._loaded.items() if model is not None
            ]
        answer: dict[str, Any] = {"models": entries[start : start + most]}
        if start + most < len(entries):
            answer["nextPageToken"] = str(start + most)
        return _json(answer)

    def _describe(self, name: str) -> Answer:
        found = self._loaded.get(name)
        if found is None or found[1] is None:
            return _not_loaded(name)
        return _json({"modelName": name, "modelUrl": found[0]})

    def _unload(self, name: str) -> Answer:
        with self._lock:
            found = self._loaded.get(name)
            if found is None or found[1] is None:
                return _not_loaded(name)
            del self._loaded[name]
        del found
        gc.collect()  # what it held is to be free before the next one is loaded
        return _json({"status": f"Model {name} unloaded."})

    def _invoke(self, name: str, request: Request) -> Answer:
        found = self._loaded.get(name)
        if found is None or found[1] is None:
            return _not_loaded(name)
        with found[2]:
            return found[1].answer(request.body, request.headers.get("content-type", ""), request.headers.get("accept", ""))


def _used() -> int:
    """Bytes of memory that this process has."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _json(value: Any) -> Answer:
    return Answer(200, json.dumps(value).encode(), "application/json")


def _not_loaded(name: str) -> Answer:
    return Answer(404, f"Model {name} is not loaded.".encode())
