"""Models to be deployed by tests: small programs that keep the contract of a container, in archives as they would be uploaded."""

import io
import json
import tarfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.config import Config
from tests.running import RunningYard

IMAGE = "modelyard/program:1"
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }
)
SERVER = """
import json, os, signal, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.reply(200 if ready() else 503, b"")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status, answer, headers = invoke(body, self.headers)
        self.reply(status, answer, headers)

    def reply(self, status, body, headers={}):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass

def ready():
    return True

def invoke(body, headers):
    return 200, body, {"Content-Type": headers.get("Content-Type") or "none"}

class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

# --- the model's own part

{part}

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print("serving", flush=True)
Server(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
"""


def program(part: str = "") -> str:
    """A model server; `part` may define `ready()` and `invoke(body, headers) -> (status, body, headers)` anew."""
    return SERVER.replace("{part}", part)


def says(word: str) -> str:
    """A model server that answers with a word."""
    return program(f"def invoke(body, headers):\n    return 200, {word.encode()!r}, {{'Content-Type': 'text/plain'}}\n")


def packed(**files: str | bytes) -> bytes:
    """A model.tar.gz; `serve` stands for serve.py."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name, text in files.items():
            data = text.encode() if isinstance(text, str) else text
            member = tarfile.TarInfo("serve.py" if name == "serve" else name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return content.getvalue()


class Deployer:
    """What a person does with a server to have models served: names are their own."""

    def __init__(self, yard: RunningYard, prefix: str, region: str = "us-east-1") -> None:
        self.yard = yard
        self.prefix = prefix
        self.sagemaker = yard.client("sagemaker", region=region)
        self.runtime = yard.client("sagemaker-runtime", region=region)
        self.s3 = yard.client("s3", region=region)
        self.bucket = f"bucket-{prefix.lower()}"
        self.s3.create_bucket(Bucket=self.bucket)

    def named(self, name: str) -> str:
        """A name of this test alone."""
        return f"{self.prefix}-{name}"

    def upload(self, name: str, content: bytes) -> str:
        """The address of model data."""
        self.s3.put_object(Bucket=self.bucket, Key=f"{name}/model.tar.gz", Body=content)
        return f"s3://{self.bucket}/{name}/model.tar.gz"

    def model(self, name: str, serve: str, **more: Any) -> str:
        """A model of a program; its name."""
        uri = self.upload(name, packed(serve=serve))
        container = {"Image": IMAGE, "ModelDataUrl": uri, **more.pop("container", {})}
        self.sagemaker.create_model(ModelName=self.named(name), PrimaryContainer=container, **more)
        return self.named(name)

    def config(self, name: str, *variants: dict[str, Any], **more: Any) -> str:
        """An endpoint configuration; of the model of the same name unless variants are given. Its name."""
        given = variants or ({},)
        full = [
            {
                "VariantName": "AllTraffic",
                "ModelName": self.named(name),
                "InitialInstanceCount": 1,
                "InstanceType": "ml.m5.large",
                **one,
            }
            for one in given
        ]
        self.sagemaker.create_endpoint_config(EndpointConfigName=self.named(name), ProductionVariants=full, **more)
        return self.named(name)

    def deploy(self, name: str, serve: str | None = None, wait: bool = True, **more: Any) -> str:
        """An endpoint of a program; its name."""
        self.model(name, serve if serve is not None else program())
        self.config(name)
        self.sagemaker.create_endpoint(EndpointName=self.named(name), EndpointConfigName=self.named(name), **more)
        if wait:
            self.settled(self.named(name))
        return self.named(name)

    def described(self, endpoint: str) -> dict[str, Any]:
        found: dict[str, Any] = self.sagemaker.describe_endpoint(EndpointName=endpoint)
        return found

    def settled(self, endpoint: str, status: str = "InService", seconds: float = 120) -> dict[str, Any]:
        """The endpoint, once nothing is in progress."""
        found = eventually(
            lambda: (shown := self.described(endpoint))["EndpointStatus"] not in ("Creating", "Updating") and shown, seconds
        )
        assert found["EndpointStatus"] == status, found
        return dict(found)

    def update(self, endpoint: str, name: str, serve: str, status: str = "InService", **more: Any) -> dict[str, Any]:
        """Update an endpoint to a program, and wait."""
        self.model(name, serve)
        self.config(name)
        self.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=self.named(name), **more)
        return self.settled(endpoint, status)

    def invoke(self, endpoint: str, body: bytes = b"{}", **more: Any) -> bytes:
        """What a model answers."""
        answer: bytes = self.runtime.invoke_endpoint(EndpointName=endpoint, Body=body, **more)["Body"].read()
        return answer

    def delete(self, endpoint: str) -> None:
        """Delete an endpoint, and wait."""
        self.sagemaker.delete_endpoint(EndpointName=endpoint)
        eventually(lambda: not self.sagemaker.list_endpoints(NameContains=endpoint)["Endpoints"])

    def role(self, name: str, *actions: str) -> str:
        """A role that SageMaker may assume, and that may do these actions; its ARN."""
        iam = self.yard.client("iam")
        arn: str = iam.create_role(RoleName=self.named(name), AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
        statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_role_policy(RoleName=self.named(name), PolicyName="does", PolicyDocument=policy)
        return arn


class Load:
    """Requests to an endpoint at a steady pace, whether the ones before are answered or not (an open loop)."""

    def __init__(self, deployer: Deployer, endpoint: str, per_second: float = 50, threads: int = 8) -> None:
        self.answers: Counter[bytes] = Counter()
        self.failed: list[str] = []
        self._client = deployer.yard.client("sagemaker-runtime", config=Config(max_pool_connections=threads))
        self._endpoint = endpoint
        self._pause = 1 / per_second
        self._stopping = threading.Event()
        self._pool = ThreadPoolExecutor(threads)
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        due = time.monotonic()
        while not self._stopping.is_set():
            self._pool.submit(self._one)
            due += self._pause
            time.sleep(max(0.0, due - time.monotonic()))

    def _one(self) -> None:
        try:
            answer = self._client.invoke_endpoint(EndpointName=self._endpoint, Body=b"{}")["Body"].read()
            self.answers[answer] += 1
        except Exception as error:
            self.failed.append(repr(error))

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        self._pool.shutdown()


def eventually(found: Callable[[], Any], seconds: float = 90) -> Any:
    """What is found, once it is."""
    deadline = time.monotonic() + seconds
    while not (result := found()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
    return result
