"""scikit-learn inside: a real model.tar.gz, trained and served as SageMaker's framework image would."""

import io
import json
import time

import numpy
import pytest
from tests.workloads.inside import Inside, archive

pytestmark = [pytest.mark.slow]

TRAIN = """
    import argparse, os
    import joblib, pandas
    from sklearn.linear_model import LogisticRegression
    parser = argparse.ArgumentParser()
    parser.add_argument("-C", type=float)
    parser.add_argument("--model-dir", default=os.environ["SM_MODEL_DIR"])
    given = parser.parse_args()
    table = pandas.read_csv(os.path.join(os.environ["SM_CHANNEL_TRAIN"], "train.csv"), header=None)
    model = LogisticRegression(C=given.C).fit(table[[1, 2]].to_numpy(), table[0])
    joblib.dump(model, os.path.join(given.model_dir, "model.joblib"))
    print("accuracy=%.2f" % model.score(table[[1, 2]].to_numpy(), table[0]))
"""
ROWS = b"".join(b"%d,%f,%f\n" % (i % 2, (i % 2) * 4 + (i * 7 % 10) / 10, (i * 3 % 10) / 10) for i in range(200))


@pytest.fixture(scope="module")
def model(sklearn: Inside) -> bytes:
    """A model.tar.gz, out of a training job in script mode."""
    settings = {"sagemaker_program": '"train.py"', "C": "1.5"}
    job = sklearn.job(settings, {"train": {"train.csv": ROWS}}, code={"train.py": TRAIN})
    trained = job.train()
    assert trained.end().exit_code == 0, trained.log
    assert "accuracy=1.00" in trained.log
    return job.model()


@pytest.mark.seen
def test_a_model_is_served_over_http(sklearn: Inside, model: bytes) -> None:
    """CSV, JSON and NPY go in, and JSON, CSV and NPY come out, as the Accept asks."""
    serving = sklearn.serve(model)
    rows = b"0.1,0.5\n4.5,0.5\n"
    assert serving.call("GET", "/ping") == (200, b"")
    assert serving.invoke(rows) == (200, b"[0, 1]")
    assert serving.invoke(rows, accept="text/csv") == (200, b"0\n1\n")
    assert serving.invoke(b"[[0.1, 0.5], [4.5, 0.5]]", "application/json", accept="application/json, */*;q=0.1") == (
        200,
        b"[0, 1]",
    )
    array = io.BytesIO()
    numpy.save(array, numpy.array([[0.1, 0.5], [4.5, 0.5]]))
    status, answer = serving.invoke(array.getvalue(), "application/x-npy", accept="application/x-npy")
    assert (status, numpy.load(io.BytesIO(answer)).tolist()) == (200, [0, 1])
    assert serving.invoke(b"0.1,0.5") == (200, b"[0]"), "one row alone"
    assert json.loads(serving.call("GET", "/execution-parameters")[1])["MaxConcurrentTransforms"] == 1
    assert serving.stop().exit_code == 0


@pytest.mark.seen
def test_what_cannot_be_answered_has_its_status(sklearn: Inside, model: bytes) -> None:
    """Types that are unknown are 415 and 406, a body that is no CSV and a path that is not there are refused, and it goes on."""
    serving = sklearn.serve(model)
    assert serving.invoke(b"<x/>", "application/xml")[0] == 415
    assert serving.invoke(b"0.1,0.5", accept="image/png")[0] == 406
    assert serving.invoke(b'{"a": ', "application/json")[0] == 400
    status, text = serving.invoke(b"1,2,3\n")
    assert status == 500 and b"2 features" in text
    assert serving.call("GET", "/nothing")[0] == 404
    assert serving.call("GET", "/invocations")[0] == 405
    assert serving.invoke(b"4.5,0.5") == (200, b"[1]")


@pytest.mark.seen
def test_the_owners_functions_are_called(sklearn: Inside, model: bytes) -> None:
    """The four functions of code/inference.py take the place of the defaults, with the modules that stand beside."""
    script = """
        import os, joblib, numpy
        from beside import LABELS

        def model_fn(model_dir):
            return joblib.load(os.path.join(model_dir, "model.joblib"))

        def input_fn(body, content_type):
            assert content_type == "text/csv" and isinstance(body, str)
            return numpy.array([[float(field) for field in line.split(",")] for line in body.splitlines()])

        def predict_fn(data, model):
            return model.predict_proba(data)[:, 1]

        def output_fn(prediction, accept):
            return ";".join(LABELS[int(one > 0.5)] for one in prediction), "text/plain"
    """
    files = {"code__inference_DOT_py": script, "code__beside_DOT_py": 'LABELS = ["low", "high"]'}
    content = _with_model(model, **files)
    serving = sklearn.serve(content, SAGEMAKER_PROGRAM="inference.py", SAGEMAKER_SUBMIT_DIRECTORY="/opt/ml/model/code")
    connection = serving.connect()
    connection.request("POST", "/invocations", b"0.1,0.5\n4.5,0.5", {"content-type": "text/csv; charset=utf-8"})
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("content-type"), answer.read()) == (200, "text/plain", b"low;high")
    connection.close()


@pytest.mark.ours
def test_several_workers_share_the_requests(sklearn: Inside, model: bytes) -> None:
    """Connections go round the workers, a worker that dies is replaced, and the others go on answering."""
    script = """
        import os, signal
        def model_fn(model_dir): return None
        def transform_fn(model, body, content_type, accept):
            if body == "die":
                os.kill(os.getpid(), signal.SIGKILL)
            return str(os.getpid())
    """
    serving = sklearn.serve(_with_model(model, code__inference_DOT_py=script), SAGEMAKER_MODEL_SERVER_WORKERS="3")
    connections = [serving.connect() for _ in range(3)]
    seen = set()
    for connection in connections:
        while True:  # each worker loads its own
            connection.request("POST", "/invocations", b"x", {"content-type": "text/csv"})
            answer = connection.getresponse()
            content = answer.read()
            if answer.status == 200:
                seen.add(content)
                break
            time.sleep(0.05)
    assert len(seen) == 3
    with pytest.raises(ConnectionError):
        serving.invoke(b"die")
    serving.wait()
    serving.wait_for("is replaced")
    for connection in connections:
        connection.close()
    assert serving.stop().exit_code == 0


@pytest.mark.ours
def test_requirements_come_with_an_overlay_or_are_the_reason(sklearn: Inside, model: bytes) -> None:
    """What requirements.txt asks for and nobody installed is the reason why the model is not served."""
    files = {
        "code__inference_DOT_py": "import no_such_package\ndef model_fn(d): return 1",
        "code__requirements_DOT_txt": "no-such-package-anywhere==1\n",
    }
    serving = sklearn.serve(_with_model(model, **files))
    status, reason = serving.call("GET", "/ping")
    assert status == 500 and b"requirements.txt in the code cannot be installed" in reason
    satisfied = _with_model(model, code__requirements_DOT_txt="numpy>=1\nscikit-learn\n")
    assert sklearn.serve(satisfied).call("GET", "/ping") == (200, b"")


def _with_model(model: bytes, **files: str) -> bytes:
    import tarfile

    with tarfile.open(fileobj=io.BytesIO(model)) as tar:
        member = tar.extractfile("model.joblib")
        assert member is not None
        return archive(model_DOT_joblib=member.read(), **files)
