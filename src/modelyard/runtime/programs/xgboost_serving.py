"""XGBoost, served: the built-in algorithm's answers, and the defaults of script mode."""

import json
import pickle
from pathlib import Path
from typing import Any

from . import content
from .failure import RequestFailure, StartFailure
from .frameworks import Defaults
from .xgboost_data import read_libsvm

JSON_LINES = content.JSON_LINES


def defaults(*, has_program: bool, batch: bool) -> Defaults:
    """Script mode where there is a script, else the algorithm."""
    if has_program:
        return Defaults(load, read, predict, content.write, content.JSON)
    return Defaults(load, read, predict, write_in_lines if batch else write_algorithm, content.CSV)


def load(model_dir: str) -> Any:
    """The booster in `xgboost-model`, or in the only file that there is."""
    import xgboost

    files = sorted(path for path in Path(model_dir).iterdir() if path.is_file() and not path.name.startswith("."))
    named = [path for path in files if path.name == "xgboost-model"] or files
    if len(named) != 1:
        raise StartFailure(
            f"There is no xgboost-model in the model: there is {', '.join(path.name for path in files) or 'nothing'}."
        )
    booster = xgboost.Booster()
    try:
        booster.load_model(str(named[0]))
    except (xgboost.core.XGBoostError, ValueError) as error:
        try:
            with named[0].open("rb") as file:
                booster = pickle.load(file)  # noqa: S301 - the owner's own, in the sandbox
        except Exception:
            raise StartFailure(f"{named[0].name} is neither a booster nor a pickle of one: {error}") from None
    booster = booster.get_booster() if hasattr(booster, "get_booster") else booster
    booster.set_param({"nthread": 1})
    return booster


def read(body: Any, content_type: str) -> Any:
    """A DMatrix out of CSV or LIBSVM."""
    import xgboost

    raw = body.encode("utf-8") if isinstance(body, str) else bytes(body)
    if content_type in content.LIBSVM:
        try:
            return xgboost.DMatrix(read_libsvm(raw)[0])
        except ValueError as error:
            raise RequestFailure(415, f"Loading libsvm data failed: {error}") from None
    if content_type in (content.JSON, content.NPY, content.CSV):
        array = content.read_array(raw, content_type)
        return xgboost.DMatrix(array.reshape(1, -1) if array.ndim == 1 else array)
    raise RequestFailure(415, f"Content-type {content_type} is not supported.")


def predict(data: Any, booster: Any) -> Any:
    """What the booster says, of its best trees when training was stopped early."""
    best = booster.attr("best_iteration")
    trees = (0, int(best) + 1) if best is not None else (0, 0)
    try:
        return booster.predict(data, iteration_range=trees, validate_features=False)
    except ValueError as error:
        raise RequestFailure(400, f"Unable to evaluate payload provided: {error}") from None


def write_algorithm(prediction: Any, accept: str) -> bytes:
    """As the built-in algorithm answers: CSV lines, or JSON with a score for each row."""
    if accept == content.JSON:
        return json.dumps({"predictions": [{"score": score} for score in prediction.tolist()]}).encode("utf-8")
    if accept == JSON_LINES:
        return b"".join(json.dumps({"score": score}).encode("utf-8") + b"\n" for score in prediction.tolist())
    return content.write(prediction, accept)


def write_in_lines(prediction: Any, _accept: str) -> bytes:
    """As a batch transform is answered: one line for each row."""
    return "".join(f"{score}\n" for score in prediction.tolist()).encode("utf-8")
