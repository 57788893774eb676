"""XGBoost inside: the built-in algorithm and script mode, trained and served."""

import json

import pytest
from tests.workloads.inside import Inside, archive

pytestmark = [pytest.mark.slow, pytest.mark.seen]

CSV = b"".join(b"%d,%d,%d\n" % (i % 2, (i % 2) * 5 + i % 3, i % 7) for i in range(300))
LIBSVM = b"".join(b"%d 0:%d 1:%d\n" % (i % 2, (i % 2) * 5 + i % 3, i % 7) for i in range(300))
HYPERPARAMETERS = {"objective": "binary:logistic", "num_round": "5", "max_depth": "3", "eta": "0.5", "eval_metric": "auc,error"}


def test_the_algorithm_trains_and_serves_csv(xgboost: Inside) -> None:
    """The channels `train` and `validation` become `xgboost-model`; each round is reported; predictions are lines, or scores."""
    job = xgboost.job(HYPERPARAMETERS, {"train": {"a.csv": CSV[: len(CSV) // 2 + 1], "b.csv": CSV}, "validation": {"v.csv": CSV}})
    trained = job.train()
    assert trained.end().exit_code == 0, trained.log
    assert any(line.startswith("[4]#011train-auc:1.0") and "validation-error:0.0" in line for line in trained.lines), trained.log
    assert [path.name for path in (job.root / "model").iterdir()] == ["xgboost-model"]
    serving = xgboost.serve(job.model())
    status, answer = serving.invoke(b"0,1\n6,1\n")
    low, high = map(float, answer.splitlines())
    assert status == 200 and low < 0.2 < 0.8 < high
    status, answer = serving.invoke(b"0,1\n6,1\n", accept="application/json")
    assert [round(one["score"], 3) for one in json.loads(answer)["predictions"]] == [round(low, 3), round(high, 3)]
    assert serving.invoke(b"1:1\n0:6 1:1", "text/libsvm")[1].splitlines() == [
        b"%s" % one.encode() for one in (str(low), str(high))
    ]
    assert serving.invoke(b"a,b", "text/csv")[0] in (400, 415)
    assert serving.invoke(b"x", "application/x-parquet")[0] == 415


def test_the_algorithm_trains_on_libsvm(xgboost: Inside) -> None:
    """LIBSVM is what a channel holds that does not say its type."""
    job = xgboost.job(HYPERPARAMETERS, {"train": {"a": LIBSVM}}, content_type="text/libsvm")
    trained = job.train()
    assert trained.end().exit_code == 0, trained.log
    status, answer = xgboost.serve(job.model(), SAGEMAKER_BATCH="true").invoke(b"0,1\n6,1\n")
    assert status == 200 and len(answer.splitlines()) == 2


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"num_round": None}, "Missing required hyperparameter: num_round"),
        ({"depth": "3"}, "Extraneous hyperparameter found: depth"),
        ({"eta": "2"}, "Hyperparameter eta: value 2 is not in the range [0, 1]"),
        ({"objective": "multi:softmax"}, "num_class"),
    ],
)
def test_wrong_hyperparameters_are_the_reason(xgboost: Inside, changed: dict[str, str | None], reason: str) -> None:
    """What the owner of a job has to set right is in /opt/ml/output/failure, which becomes the FailureReason."""
    given = {name: value for name, value in {**HYPERPARAMETERS, **changed}.items() if value is not None}
    job = xgboost.job(given, {"train": {"a.csv": CSV}})
    assert job.train().end().exit_code == 1
    failure = (job.root / "output" / "failure").read_text()
    assert failure.startswith("ClientError: ") and reason in failure


def test_script_mode(xgboost: Inside) -> None:
    """A script trains with what it is told, and another one serves what it saved."""
    code = {
        "train.py": """
            import argparse, os, xgboost, numpy
            parser = argparse.ArgumentParser()
            parser.add_argument("--rounds", type=int)
            given = parser.parse_args()
            table = numpy.loadtxt(os.environ["SM_CHANNEL_TRAIN"] + "/a.csv", delimiter=",")
            data = xgboost.DMatrix(table[:, 1:], label=table[:, 0])
            booster = xgboost.train({"objective": "binary:logistic"}, data, given.rounds)
            booster.save_model(os.environ["SM_MODEL_DIR"] + "/xgboost-model")
        """
    }
    job = xgboost.job({"sagemaker_program": '"train.py"', "rounds": "4"}, {"train": {"a.csv": CSV}}, code=code)
    trained = job.train()
    assert trained.end().exit_code == 0, trained.log
    script = """
        def predict_fn(data, booster):
            return booster.predict(data).round(1)
    """
    content = archive(**{"xgboost-model": (job.root / "model" / "xgboost-model").read_bytes(), "code__inference_DOT_py": script})
    serving = xgboost.serve(content)
    status, answer = serving.invoke(b"0,1\n6,1\n")
    assert status == 200, serving.log
    assert len(json.loads(answer)) == 2


def test_a_script_that_fails_tells_why(xgboost: Inside) -> None:
    """Its exit code and the end of what it said are the reason, as sagemaker-training writes them."""
    job = xgboost.job({"sagemaker_program": '"t.py"'}, {}, code={"t.py": "raise ValueError('no such column')"})
    ended = job.train().end()
    failure = (job.root / "output" / "failure").read_text()
    assert ended.exit_code == 1
    assert failure.startswith('ExecuteUserScriptError:\nExitCode 1\nErrorMessage "ValueError: no such column"')
