"""Client processes that write to a server without end, whatever becomes of it, and record what it acknowledged.

    python -m tests.faults.clients <kind> <endpoint,endpoint…> <name> <record> <seed>

with credentials in the environment. Every line of the record is JSON. A client repeats a request until it is answered
(registrations with the same ClientToken), reads back what was acknowledged last whenever the connection was lost, and ends
after its current request when its standard input is closed.
"""

import hashlib
import json
import random
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

GROUP = "faults"
BUCKET = "faults"
PART = 5 * 1024 * 1024
PATIENCE_SECONDS = 180.0
TRY_AGAIN = {"ServiceUnavailable", "SlowDown", "ThrottlingException", "Throttling", "InsufficientStorage"}


class Client:
    """One process."""

    def __init__(self, endpoints: list[str], name: str, record: TextIO, seed: int) -> None:
        self.name = name
        self.random = random.Random(seed)
        self._endpoints = endpoints
        self._record = record
        self._clients: dict[tuple[str, str], Any] = {}
        self.stopping = threading.Event()
        self.lost_connection = False

    def record(self, **what: Any) -> None:
        """Add a line to the record."""
        self._record.write(json.dumps(what) + "\n")
        self._record.flush()

    def service(self, name: str) -> Any:
        """A boto3 client that does not retry, for one of the servers."""
        key = (name, self.random.choice(self._endpoints))
        if key not in self._clients:
            config = Config(
                retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=30, s3={"addressing_style": "path"}
            )
            self._clients[key] = boto3.client(name, endpoint_url=key[1], region_name="us-east-1", config=config)
        return self._clients[key]

    def until_answered(self, call: Callable[[], Any]) -> Any:
        """Repeat a call while the server is away or says to try again. Raises ClientError for any other refusal."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return call()
            except ClientError as error:
                status = error.response["ResponseMetadata"]["HTTPStatusCode"]
                code = error.response["Error"]["Code"]
                self.record(refused=code, status=status, message=error.response["Error"].get("Message", ""))
                if code not in TRY_AGAIN and status != 503:
                    raise
            except BotoCoreError:
                self.lost_connection = True
            if time.monotonic() > deadline:
                raise TimeoutError(f"no answer within {PATIENCE_SECONDS} seconds")
            time.sleep(0.05)

    def check(self, right: bool, what: str) -> None:
        """Record that something is wrong."""
        if not right:
            self.record(wrong=what)


def register(client: Client) -> None:
    """Register versions, approve or reject each a few times, and delete some."""
    for serial in range(1_000_000):
        if client.stopping.is_set():
            return
        label = f"{client.name}-{serial}"
        request = {
            "ModelPackageGroupName": GROUP,
            "ModelPackageDescription": label,
            "ClientToken": label,
            "CustomerMetadataProperties": {"label": label},
            "InferenceSpecification": {
                "Containers": [{"Image": "image", "ModelDataUrl": f"s3://bucket/{label}/model.tar.gz"}],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
            },
        }
        client.lost_connection = False
        arn = client.until_answered(lambda request=request: client.service("sagemaker").create_model_package(**request))[
            "ModelPackageArn"
        ]
        client.record(registered=arn, label=label)
        if client.lost_connection or client.random.random() < 0.05:  # the answer was lost, or as if it had been
            again = client.until_answered(lambda request=request: client.service("sagemaker").create_model_package(**request))
            client.check(again["ModelPackageArn"] == arn, f"{label} was {arn} and is {again['ModelPackageArn']} when repeated")
        for step in range(client.random.randrange(3)):
            status = client.random.choice(["Approved", "Rejected"])
            client.lost_connection = False
            client.until_answered(
                lambda arn=arn, status=status, step=step: client.service("sagemaker").update_model_package(
                    ModelPackageArn=arn, ModelApprovalStatus=status, ApprovalDescription=f"step {step}"
                )
            )
            client.record(approved=arn, status=status, step=step)
            if client.lost_connection:
                found = client.until_answered(
                    lambda arn=arn: client.service("sagemaker").describe_model_package(ModelPackageName=arn)
                )
                client.check(found["ModelApprovalStatus"] == status, f"{arn} is {found['ModelApprovalStatus']}, not {status}")
                client.check(found["ApprovalDescription"] == f"step {step}", f"{arn} lost step {step}")


def upload(client: Client) -> None:
    """Put, overwrite, upload in parts, copy and delete objects. A key belongs to one client."""
    for serial in range(1_000_000):
        if client.stopping.is_set():
            return
        key = f"{client.name}/{client.random.randrange(40)}"
        kind = client.random.choices(["put", "parts", "copy", "delete"], [8, 1, 3, 1])[0]
        client.lost_connection = False
        if kind == "put":
            _put(client, key, serial)
        elif kind == "parts":
            _upload_in_parts(client, key, serial)
        elif kind == "copy":
            _copy(client, key, serial)
        else:
            client.until_answered(lambda key=key: client.service("s3").delete_object(Bucket=BUCKET, Key=key))
            client.record(deleted=key)


def content(client: Client, serial: int, size: int) -> bytes:
    """Bytes that no other request sends."""
    seed = f"{client.name} {serial} ".encode()
    return (seed * (size // len(seed) + 1))[:size]


def _put(client: Client, key: str, serial: int) -> None:
    body = content(client, serial, client.random.choice([0, 10, 1000, 30_000, 300_000]))
    client.record(trying=key)
    client.until_answered(lambda: client.service("s3").put_object(Bucket=BUCKET, Key=key, Body=body))
    client.record(put=key, sha256=hashlib.sha256(body).hexdigest(), size=len(body))


def _upload_in_parts(client: Client, key: str, serial: int) -> None:
    bodies = [content(client, serial, PART), content(client, serial, client.random.randrange(1, 100_000))]
    client.record(trying=key)
    place = {"Bucket": BUCKET, "Key": key}
    started = client.until_answered(lambda: client.service("s3").create_multipart_upload(**place))
    upload_id = started["UploadId"]
    parts = []
    for number, body in enumerate(bodies, 1):
        answer = client.until_answered(
            lambda number=number, body=body: client.service("s3").upload_part(
                **place, UploadId=upload_id, PartNumber=number, Body=body
            )
        )
        parts.append({"PartNumber": number, "ETag": answer["ETag"]})
    client.until_answered(
        lambda: client.service("s3").complete_multipart_upload(**place, UploadId=upload_id, MultipartUpload={"Parts": parts})
    )
    whole = b"".join(bodies)
    client.record(put=key, sha256=hashlib.sha256(whole).hexdigest(), size=len(whole))


def _copy(client: Client, key: str, serial: int) -> None:
    source = f"{client.name}/source"
    body = content(client, serial, 5_000)
    client.until_answered(lambda: client.service("s3").put_object(Bucket=BUCKET, Key=source, Body=body))
    client.record(put=source, sha256=hashlib.sha256(body).hexdigest(), size=len(body))
    client.record(trying=key)
    client.until_answered(
        lambda: client.service("s3").copy_object(Bucket=BUCKET, Key=key, CopySource={"Bucket": BUCKET, "Key": source})
    )
    client.record(put=key, sha256=hashlib.sha256(body).hexdigest(), size=len(body))


def main(kind: str, endpoints: str, name: str, record: str, seed: str) -> None:
    """Run one kind of client until the standard input is closed."""
    with Path(record).open("a") as file:
        client = Client(endpoints.split(","), name, file, int(seed))
        threading.Thread(target=lambda: (sys.stdin.read(), client.stopping.set()), daemon=True).start()
        try:
            {"register": register, "upload": upload}[kind](client)
            client.record(ended=True)
        except Exception as error:
            client.record(wrong=f"{type(error).__name__}: {error}")
            raise


if __name__ == "__main__":
    main(*sys.argv[1:])
