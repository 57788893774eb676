"""Any Python inside: streams, many models in one container, and models that cannot be loaded."""

import json
import os
import threading
import time
from pathlib import Path

import pytest
from tests.workloads.inside import Inside, archive

from modelyard.runtime.base import USER
from modelyard.runtime.workload import Mount

pytestmark = [pytest.mark.slow, pytest.mark.ours]


def served(inside: Inside, script: str, **environment: str):
    return inside.serve(archive(code__inference_DOT_py=script), **environment)


def test_a_model_that_cannot_be_loaded_says_why(python: Inside) -> None:
    """/ping fails with the reason, which is in the log with its traceback; nothing is answered, and it does not end."""
    serving = served(python, "def model_fn(model_dir):\n    raise KeyError('weights')")
    assert serving.call("GET", "/ping") == (500, b"The model cannot be loaded: KeyError: 'weights'")
    assert serving.invoke(b"1")[0] == 500
    serving.wait_for("The model cannot be loaded: KeyError: 'weights'")
    assert "Traceback" in serving.log
    assert serving.stop().exit_code == 0


@pytest.mark.parametrize("script", ["import sys; sys.exit(3)", "def model_fn(:", "import nowhere"])
def test_a_script_that_cannot_be_imported_says_why(python: Inside, script: str) -> None:
    """Whatever importing it raises is the reason."""
    assert served(python, script).call("GET", "/ping")[0] == 500


def test_no_model_and_no_script(python: Inside) -> None:
    """A model.tar.gz with nothing that could be served says what is missing."""
    status, reason = python.serve(archive(readme_DOT_txt="hello")).call("GET", "/ping")
    assert status == 500 and b"no inference.py with model_fn" in reason


def test_while_it_loads_ping_is_unavailable(python: Inside) -> None:
    """/ping answers from the beginning: 503 while the model is being loaded."""
    script = "import time\ndef model_fn(d):\n    time.sleep(1.5)\n    return lambda data: data"
    program = python.run("serve", mounts=(python.unpacked(archive(code__inference_DOT_py=script)),))
    seen = set()
    deadline = time.monotonic() + 30
    while 200 not in seen and time.monotonic() < deadline:
        try:
            seen.add(program.call("GET", "/ping")[0])
        except ConnectionRefusedError:
            time.sleep(0.02)
    assert seen == {503, 200}


def test_pieces_are_sent_as_they_come(python: Inside) -> None:
    """What a function yields goes out piece by piece, before the next is made; when one raises, the answer breaks off."""
    script = """
        import time
        def model_fn(model_dir): return None
        def transform_fn(model, body, content_type, accept):
            def pieces():
                for number in range(4):
                    yield f"{number};"
                    if body == "break" and number == 1:
                        raise RuntimeError("in the middle")
                    time.sleep(0.2)
            return pieces()
    """
    serving = served(python, script)
    connection = serving.connect()
    connection.request("POST", "/invocations", b"x", {"content-type": "text/csv", "accept": "text/plain"})
    answer = connection.getresponse()
    began = time.monotonic()
    assert answer.getheader("transfer-encoding") == "chunked"
    assert answer.read1() == b"0;"
    assert time.monotonic() - began < 0.4
    assert answer.read() == b"1;2;3;"
    connection.close()
    with pytest.raises(Exception, match="IncompleteRead"):
        serving.invoke(b"break")
    serving.wait_for("in the middle")
    assert serving.invoke(b"x")[1] == b"0;1;2;3;"


def test_one_request_at_a_time_is_in_the_model(python: Inside) -> None:
    """Owners' code need not be safe for threads, yet /ping answers while it works."""
    script = """
        import time
        inside = 0
        def model_fn(model_dir): return None
        def transform_fn(model, body, content_type, accept):
            global inside
            inside += 1
            most = inside
            time.sleep(0.3)
            inside -= 1
            return str(most)
    """
    serving = served(python, script)
    answers: list[bytes] = []
    threads = [threading.Thread(target=lambda: answers.append(serving.invoke(b"x")[1])) for _ in range(3)]
    for thread in threads:
        thread.start()
    began = time.monotonic()
    assert serving.call("GET", "/ping")[0] == 200
    assert time.monotonic() - began < 0.25
    for thread in threads:
        thread.join()
    assert answers == [b"1"] * 3


def test_statuses_that_exceptions_ask_for(python: Inside) -> None:
    """An exception with a status becomes that status; others are 500; both carry the text."""
    script = """
        class Refused(Exception):
            status_code = 422
        def model_fn(model_dir): return None
        def transform_fn(model, body, content_type, accept):
            raise (Refused("too short") if body == "short" else ValueError("odd"))
    """
    serving = served(python, script)
    assert serving.invoke(b"short") == (422, b"Refused: too short")
    assert serving.invoke(b"long") == (500, b"ValueError: odd")


def test_many_models_in_one_container(python: Inside, folder: Path) -> None:
    """Models are loaded, listed, invoked and unloaded; each has its own script, also when these have the same name."""
    models = folder / "models"
    for name in ("one", "two"):
        code = models / name / "model" / "code"
        code.mkdir(parents=True)
        (code / "helper.py").write_text(f"NAME = '{name}'")
        (code / "inference.py").write_text(
            "from helper import NAME\ndef model_fn(d): return NAME\ndef transform_fn(m, b, c, a): return f'{m}:{b}'"
        )
    if os.getuid() == 0:
        for path in models.rglob("*"):
            os.chown(path, USER, USER)
    program = python.run("serve", mounts=(Mount(models, "/opt/ml/models"),), SAGEMAKER_MULTI_MODEL="true")
    program.wait()

    def load(name: str, url: str) -> int:
        return program.call("POST", "/models", json.dumps({"model_name": name, "url": url}).encode())[0]

    assert program.call("POST", "/models/one/invoke", b"x")[0] == 404
    assert [load(name, f"/opt/ml/models/{name}/model") for name in ("one", "two")] == [200, 200]
    assert load("one", "/opt/ml/models/one/model") == 409
    assert load("three", "/opt/ml/models/three/model") == 404
    assert program.call("POST", "/models", b"{}")[0] == 400
    assert program.call("POST", "/models/one/invoke", b"x", content_type="text/csv") == (200, b"one:x")
    assert program.call("POST", "/models/two/invoke", b"y", content_type="text/csv") == (200, b"two:y")
    first = json.loads(program.call("GET", "/models?limit=1")[1])
    assert first == {"models": [{"modelName": "one", "modelUrl": "/opt/ml/models/one/model"}], "nextPageToken": "1"}
    assert [one["modelName"] for one in json.loads(program.call("GET", "/models?next_page_token=1")[1])["models"]] == ["two"]
    assert json.loads(program.call("GET", "/models/two")[1])["modelName"] == "two"
    assert program.call("DELETE", "/models/one")[0] == 200
    assert program.call("DELETE", "/models/one")[0] == 404
    assert program.call("POST", "/models/one/invoke", b"x")[0] == 404
    assert load("one", "/opt/ml/models/one/model") == 200


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET /ping HTTP/1.1\r\nno colon\r\n\r\n", b"400"),
        (b"POST /invocations HTTP/1.1\r\ncontent-length: -1\r\n\r\n", b"400"),
        (b"POST /invocations HTTP/1.1\r\ncontent-length: 9999999999999\r\n\r\n", b"413"),
        (b"POST /invocations HTTP/1.1\r\ntransfer-encoding: gzip\r\n\r\n", b"400"),
        (b"POST /invocations HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", b"400"),
        (b"GET /ping HTTP/1.1\r\nx: " + b"a" * 70_000, b"431"),
    ],
)
def test_what_is_no_http_is_refused(echo, sent: bytes, status: bytes) -> None:
    """Malformed requests are answered with a 4xx, and the server goes on."""
    connection = echo.connect()
    connection.sock.sendall(sent)
    assert connection.sock.recv(100).split(b" ")[1] == status
    connection.close()
    assert echo.invoke(b"x", "text/plain") == (200, b"x")


def test_bodies_in_chunks_and_several_requests_on_a_connection(echo) -> None:
    """A body may come in chunks, and requests may follow each other without waiting for the answers."""
    connection = echo.connect()
    head = b"POST /invocations HTTP/1.1\r\ncontent-type: text/plain\r\n"
    one = head + b"transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"
    two = head + b"content-length: 1\r\nconnection: close\r\n\r\nz"
    connection.sock.sendall(one + two)
    answer = b""
    while read := connection.sock.recv(65536):
        answer += read
    assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert b"\r\n\r\nabcde" in answer and answer.endswith(b"\r\n\r\nz")
    connection.close()


@pytest.fixture(scope="module")
def echo(python: Inside):
    """A model that answers what it is asked."""
    return served(python, "def model_fn(d): return None\ndef transform_fn(m, b, c, a): return b")
