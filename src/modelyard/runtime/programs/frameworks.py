"""What each framework does where the owner's script does not say: load, read, predict, write."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from . import content
from .failure import RequestFailure, StartFailure

PICKLES = (".joblib", ".pkl", ".pickle", ".sav")


class Defaults(NamedTuple):
    """The four functions, and what is answered when the caller does not say."""

    model_fn: Callable[[str], Any]
    input_fn: Callable[[Any, str], Any]
    predict_fn: Callable[[Any, Any], Any]
    output_fn: Callable[[Any, str], bytes]
    accept: str = content.JSON


def defaults_of(framework: str, *, has_program: bool, batch: bool) -> Defaults:
    """The defaults of a framework."""
    if framework == "xgboost":
        from . import xgboost_serving

        return xgboost_serving.defaults(has_program=has_program, batch=batch)
    if framework == "autogluon":
        from . import autogluon_serving

        return Defaults(
            autogluon_serving.load, autogluon_serving.read, autogluon_serving.predict, autogluon_serving.write, content.CSV
        )
    if framework == "sklearn":
        return Defaults(load_pickle, read_table, predict, content.write)
    return Defaults(load_pickle, read_anything, predict, content.write)


def load_pickle(model_dir: str) -> Any:
    """The one model that was pickled, by joblib or pickle: `model.joblib`, `model.pkl`, or whichever is the only one."""
    files = sorted(path for path in Path(model_dir).iterdir() if path.suffix in PICKLES)
    named = [path for path in files if path.stem == "model"] or files
    if len(named) != 1:
        there = ", ".join(path.name for path in files) or "none"
        raise StartFailure(
            "The model has no inference.py with model_fn, and not one file that could be loaded without:"
            f" model.joblib or model.pkl (there is {there})."
        )
    try:
        import joblib
    except ImportError:
        with named[0].open("rb") as file:
            return pickle.load(file)  # noqa: S301 - the owner's own, in the sandbox
    return joblib.load(named[0])


def _bytes(body: Any) -> bytes:
    return body.encode("utf-8") if isinstance(body, str) else bytes(body)


def read_table(body: Any, content_type: str) -> Any:
    """Rows: one row alone becomes a table of one."""
    array = content.read_array(_bytes(body), content_type)
    if array.ndim == 1:
        array = array.reshape(1, -1)
    return array.astype("float32") if content_type in content.TEXTS and array.dtype.kind in "iuf" else array


def read_anything(body: Any, content_type: str) -> Any:
    """JSON as Python has it, other content as arrays, and what is unknown as it came."""
    if content_type == content.JSON:
        import json

        try:
            return json.loads(body)
        except ValueError as error:
            raise RequestFailure(400, f"The body is not JSON: {error}") from None
    if content_type in (content.CSV, content.NPY, content.JSON_LINES):
        return content.read_array(_bytes(body), content_type)
    return body


def predict(data: Any, model: Any) -> Any:
    """What the model predicts, or answers when it is called."""
    return model.predict(data) if hasattr(model, "predict") else model(data)
