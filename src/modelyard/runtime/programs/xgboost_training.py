"""XGBoost's built-in algorithm: channels `train` and `validation`, hyperparameters as SageMaker names them, `xgboost-model`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .content import CSV, LIBSVM
from .failure import StartFailure
from .training_environment import Training
from .xgboost_data import channel_files, read_csv, read_libsvm

MODEL = "xgboost-model"
NUMBERS = {
    "alpha": (float, 0, None),
    "base_score": (float, None, None),
    "colsample_bylevel": (float, 0, 1),
    "colsample_bynode": (float, 0, 1),
    "colsample_bytree": (float, 0, 1),
    "csv_weights": (int, 0, 1),
    "early_stopping_rounds": (int, 1, None),
    "eta": (float, 0, 1),
    "gamma": (float, 0, None),
    "lambda": (float, 0, None),
    "lambda_bias": (float, 0, 1),
    "max_bin": (int, 0, None),
    "max_delta_step": (float, 0, None),
    "max_depth": (int, 0, None),
    "max_leaves": (int, 0, None),
    "min_child_weight": (float, 0, None),
    "nthread": (int, 1, None),
    "num_class": (int, 2, None),
    "num_parallel_tree": (int, 1, None),
    "num_round": (int, 1, None),
    "one_drop": (int, 0, 1),
    "rate_drop": (float, 0, 1),
    "refresh_leaf": (int, 0, 1),
    "scale_pos_weight": (float, 0, None),
    "seed": (int, None, None),
    "sketch_eps": (float, 0, 1),
    "skip_drop": (float, 0, 1),
    "subsample": (float, 0, 1),
    "tweedie_variance_power": (float, 1, 2),
    "verbosity": (int, 0, 3),
    "aft_loss_distribution_scale": (float, 0, None),
}
"""What is a number: its type, the least, the most."""
WORDS = (
    "aft_loss_distribution", "booster", "deterministic_histogram", "dsplit", "eval_metric", "grow_policy",
    "interaction_constraints", "monotone_constraints", "normalize_type", "objective", "predictor", "process_type", "sample_type",
    "sampling_method", "save_model_on_termination", "silent", "tree_method", "updater", "_tuning_objective_metric",
)  # fmt: skip
OF_THE_CONTAINER = ("num_round", "csv_weights", "early_stopping_rounds", "save_model_on_termination", "_tuning_objective_metric")
"""Not for XGBoost itself."""


def train(training: Training) -> None:
    """Train and save the model. Raises StartFailure for what the owner of the job has to set right."""
    import xgboost

    asked = hyperparameters(training.hyperparameters)
    data = training.root / "input" / "data"
    weighted = bool(asked.get("csv_weights"))
    train_data = _channel(data / "train", training.channels.get("train"), weighted)
    if train_data is None:
        raise StartFailure("There is no data in the channel `train`.")
    evaluated = [(train_data, "train")]
    validation = _channel(data / "validation", training.channels.get("validation"), weighted)
    if validation is not None:
        evaluated.append((validation, "validation"))
    elif "validation" in training.channels:
        raise StartFailure("There is no data in the channel `validation`.")
    print(f"Train matrix has {train_data.num_row()} rows and {train_data.num_col()} columns", flush=True)
    parameters = {name: value for name, value in asked.items() if name not in OF_THE_CONTAINER}
    booster = xgboost.train(
        _repeated(parameters),
        train_data,
        num_boost_round=asked["num_round"],
        evals=evaluated,
        early_stopping_rounds=asked.get("early_stopping_rounds"),
        callbacks=[_reporter(xgboost)],
        verbose_eval=False,
    )
    booster.save_model(str(training.root / "model" / MODEL))


def hyperparameters(given: Mapping[str, Any]) -> "dict[str, Any]":
    """The hyperparameters with their types. Raises StartFailure."""
    asked: dict[str, Any] = {}
    for name, value in given.items():
        if name in NUMBERS:
            asked[name] = _number(name, value)
        elif name in WORDS:
            asked[name] = value if isinstance(value, str) else json.dumps(value)
        else:
            raise StartFailure(f"Extraneous hyperparameter found: {name}")
    if "num_round" not in asked:
        raise StartFailure("Missing required hyperparameter: num_round")
    if str(asked.get("objective", "")).startswith("multi:") and "num_class" not in asked:
        raise StartFailure(f"Require input for parameter 'num_class' for multi-classification: objective is {asked['objective']}")
    metrics = asked.get("eval_metric")
    if isinstance(metrics, str):
        asked["eval_metric"] = [metric.strip(" '\"") for metric in metrics.strip("[]").split(",")]
    return asked


def _number(name: str, value: Any) -> Any:
    kind, least, most = NUMBERS[name]
    try:
        number = kind(str(value))
    except ValueError:
        raise StartFailure(f"Hyperparameter {name}: '{value}' is not a number that it can have.") from None
    if (least is not None and number < least) or (most is not None and number > most):
        raise StartFailure(
            f"Hyperparameter {name}: value {value} is not in the range [{least}, {'inf' if most is None else most}]."
        )
    return number


def _repeated(parameters: Mapping[str, Any]) -> "list[tuple[str, Any]]":
    """As XGBoost takes several metrics: the name once for each."""
    metrics = parameters.get("eval_metric", ())
    return [(name, value) for name, value in parameters.items() if name != "eval_metric"] + [
        ("eval_metric", one) for one in metrics
    ]


def _channel(folder: Path, settings: Mapping[str, Any] | None, weighted: bool) -> Any:
    """The data of a channel; None when there is none."""
    import numpy
    import xgboost
    from scipy.sparse import vstack

    files = channel_files(folder) if folder.is_dir() else []
    content_type = str((settings or {}).get("ContentType", LIBSVM[0])).partition(";")[0].strip().lower()
    contents = [content for content in (path.read_bytes() for path in files) if content.strip()]
    if not contents:
        return None
    try:
        if content_type in (CSV, "csv"):
            table = numpy.concatenate([read_csv(content) for content in contents])
            first = 2 if weighted else 1
            return xgboost.DMatrix(table[:, first:], label=table[:, 0], weight=table[:, 1] if weighted else None)
        if content_type in (*LIBSVM, "libsvm"):
            read = [read_libsvm(content) for content in contents]
            width = max(matrix.shape[1] for matrix, _ in read)
            for matrix, _ in read:
                matrix.resize(matrix.shape[0], width)
            return xgboost.DMatrix(
                vstack([matrix for matrix, _ in read]), label=numpy.concatenate([labels for _, labels in read])
            )
    except ValueError as error:
        raise StartFailure(f"The channel `{folder.name}` cannot be read as {content_type}: {error}") from None
    raise StartFailure(
        f"Content type {content_type} of channel `{folder.name}` is not supported: there are text/csv and text/libsvm."
    )


def _reporter(xgboost: Any) -> Any:
    """Prints each round as SageMaker's metric definitions expect it."""

    class Reporter(xgboost.callback.TrainingCallback):  # type: ignore[misc]
        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            figures = [
                f"{name}-{metric}:{values[-1]:.5f}" for name, metrics in evals_log.items() for metric, values in metrics.items()
            ]
            print("#011".join([f"[{epoch}]", *figures]), flush=True)
            return False

    return Reporter()
