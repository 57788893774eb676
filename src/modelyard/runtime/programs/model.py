"""A model that is served: the owner's functions where there are some, the framework's defaults where there are none."""

import inspect
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from . import code, content
from .failure import RequestFailure, StartFailure
from .frameworks import Defaults, defaults_of
from .http import Answer
from .settings import Settings


class Context:
    """What functions that take one more argument get: as in sagemaker-inference, the folder and name of the model."""

    def __init__(self, folder: Path) -> None:
        self.system_properties = {"model_dir": str(folder), "gpu_id": None}
        self.model_name = folder.name


class Model:
    """A loaded model."""

    def __init__(self, settings: Settings, folder: Path, module: ModuleType | None) -> None:
        self._defaults: Defaults = defaults_of(settings.framework, has_program=module is not None, batch=settings.batch)
        self._accept = settings.default_accept or self._defaults.accept
        self._context = Context(folder)
        self._transform = self._own(module, "transform_fn", 4)
        self._input = self._own(module, "input_fn", 2) or self._defaults.input_fn
        self._predict = self._own(module, "predict_fn", 2) or self._defaults.predict_fn
        self._output = self._own(module, "output_fn", 2) or self._defaults.output_fn
        if self._transform is not None and any(hasattr(module, name) for name in ("input_fn", "predict_fn", "output_fn")):
            raise StartFailure("Cannot use transform_fn implementation with input_fn, predict_fn, and/or output_fn.")
        self._model = (self._own(module, "model_fn", 1) or self._defaults.model_fn)(str(folder))

    def _own(self, module: ModuleType | None, name: str, arguments: int) -> Callable[..., Any] | None:
        """A function of the owner's script; one that takes one more argument gets the context."""
        function: Callable[..., Any] | None = getattr(module, name, None)
        if function is None:
            return None
        given: Callable[..., Any] = function
        try:
            takes_context = len(inspect.signature(given).parameters) == arguments + 1
        except (TypeError, ValueError):
            return given
        return (lambda *values: given(*values, self._context)) if takes_context else given

    def answer(self, body: bytes, content_header: str, accept_header: str) -> Answer:
        """The answer to a request. The owner's exceptions become answers too."""
        content_type = content.media_type(content_header) or content.JSON
        accept = content.accepted(accept_header, self._accept)
        try:
            given = content.as_given(body, content_type)
            if self._transform is not None:
                result = self._transform(self._model, given, content_type, accept)
            else:
                result = self._output(self._predict(self._input(given, content_type), self._model), accept)
            return _answer(result, accept)
        except RequestFailure as error:
            return Answer(error.status, str(error).encode("utf-8"))
        except Exception as error:  # the owner's code may raise anything
            traceback.print_exc(file=sys.stderr)
            sys.stderr.flush()
            return Answer(_status_of(error), f"{type(error).__name__}: {error}".encode())


def _status_of(error: Exception) -> int:
    """The status that an exception asks for, as those of sagemaker-inference and of werkzeug do; else 500."""
    for name in ("status_code", "code"):
        status = getattr(error, name, None)
        if isinstance(status, int) and 400 <= status < 600:
            return int(status)
    return 500


def _answer(result: Any, accept: str) -> Answer:
    """What a function returned: content, content and its type, pieces of it one by one, or a response object."""
    if isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], str):
        result, accept = result
    if hasattr(result, "get_data") and hasattr(result, "status_code"):
        return Answer(result.status_code, result.get_data(), result.content_type or accept)
    if isinstance(result, Iterator):
        return Answer(200, _pieces(result, accept), accept)
    return Answer(200, content.write(result, accept), accept)


def _pieces(result: "Iterator[Any]", accept: str) -> "Iterator[bytes]":
    for piece in result:
        yield content.write(piece, accept if accept in (content.CSV, content.JSON, content.JSON_LINES) else content.JSON)


def load(settings: Settings) -> Model:
    """Load the model that this container serves. Raises StartFailure, or whatever the owner's code does."""
    code.use_overlay()
    folder = code.code_folder(settings.submit_directory, settings.model / "code")
    program = code.program_in(folder, settings.program)
    if folder is None or program is None:
        return Model(settings, settings.model, None)
    code.install_requirements(folder)
    return Model(settings, settings.model, code.import_program(folder, program))
