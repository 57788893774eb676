"""AutoGluon's TabularPredictor, served."""

import io
from typing import Any

from . import content
from .failure import RequestFailure


def load(model_dir: str) -> Any:
    """The predictor that was saved into the model's folder."""
    from autogluon.tabular import TabularPredictor

    predictor = TabularPredictor.load(model_dir, require_py_version_match=False)
    predictor.persist()
    return predictor


def read(body: Any, content_type: str) -> Any:
    """A table: CSV with or without a line of names, JSON records, Parquet."""
    import pandas

    raw = body.encode("utf-8") if isinstance(body, str) else bytes(body)
    try:
        if content_type == content.CSV:
            return pandas.read_csv(io.BytesIO(raw), header=None, dtype=str, keep_default_na=False)
        if content_type == content.JSON:
            return pandas.read_json(io.BytesIO(raw))
        if content_type == "application/x-parquet":
            return pandas.read_parquet(io.BytesIO(raw))
    except ValueError as error:
        raise RequestFailure(400, f"The body cannot be read as {content_type}: {error}") from None
    raise RequestFailure(415, f"Content type {content_type} is not supported: there are text/csv, application/json and Parquet.")


def _named(table: Any, features: "list[str]") -> Any:
    """CSV with the names of its columns: from its first line, else in the order of training. The types are found anew."""
    import pandas

    if list(table.columns) != list(range(table.shape[1])):
        return table
    first = table.iloc[0].tolist()
    with_names = set(features) <= set(first)
    if not with_names and len(first) != len(features):
        raise RequestFailure(400, f"The model takes {len(features)} columns ({', '.join(features)}), and {len(first)} came.")
    text = table.to_csv(index=False, header=False)
    return pandas.read_csv(io.StringIO(text), header=0 if with_names else None, names=None if with_names else features)


def predict(table: Any, predictor: Any) -> Any:
    """The prediction and, where there are classes, their probabilities."""
    import pandas

    named = _named(table, list(predictor.original_features))
    prediction = predictor.predict(named)
    if predictor.problem_type in ("binary", "multiclass"):
        return pandas.concat([prediction, predictor.predict_proba(named)], axis=1)
    return prediction.to_frame()


def write(prediction: Any, accept: str) -> bytes:
    """CSV with a line of names, or JSON by column."""
    if accept == content.JSON:
        return str(prediction.to_json()).encode("utf-8")
    return content.write(prediction, accept)
