"""The server as clients meet it: its own pages, its proxy, and how it starts and stops."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import botocore.session
import pytest
import urllib3
from tests.running import ACCOUNT, MODELYARD, OTHER_ACCOUNT, RunningYard, both_databases

pytestmark = pytest.mark.ours


@both_databases
def test_each_account_is_told_who_it_is(yard: RunningYard) -> None:
    """The administrators of two accounts are answered as themselves, on both databases."""
    for account in (ACCOUNT, OTHER_ACCOUNT):
        identity = yard.client("sts", account).get_caller_identity()
        assert (identity["Account"], identity["Arn"]) == (account, f"arn:aws:iam::{account}:user/admin")


@both_databases
def test_own_pages(yard: RunningYard) -> None:
    """Health, readiness and metrics answer from this machine without a signature."""
    with urllib3.PoolManager() as pool:
        assert pool.request("GET", f"{yard.endpoint}/_modelyard/health").json() == {"status": "alive"}
        assert pool.request("GET", f"{yard.endpoint}/_modelyard/ready").json() == {"database": "ok", "blobs": "ok"}
        assert b"modelyard_requests_total{" in pool.request("GET", f"{yard.endpoint}/_modelyard/metrics").data


@both_databases
def test_large_objects(yard: RunningYard) -> None:
    """boto3 uploads with Expect: 100-continue and checksums, in one piece and in parts, and reads the same bytes back."""
    client = yard.client("s3")
    client.create_bucket(Bucket="large-objects")
    for key, content in (("one", os.urandom(6_000_000)), ("parts", os.urandom(20_000_000))):
        client.upload_fileobj(BytesIO(content), "large-objects", key)
        received = BytesIO()
        client.download_fileobj("large-objects", key, received)
        assert received.getvalue() == content


# --- the proxy ------------------------------------------------------------------------------------


@pytest.fixture
def proxied(yard: RunningYard) -> Iterator[urllib3.ProxyManager]:
    """What a program does that has `HTTPS_PROXY` and `REQUESTS_CA_BUNDLE` from `modelyard env`."""
    environment = yard.environment()
    with urllib3.ProxyManager(environment["HTTPS_PROXY"], ca_certs=environment["REQUESTS_CA_BUNDLE"]) as manager:
        yield manager


def test_the_real_address_of_sts(yard: RunningYard, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client whose endpoint is hard-coded to AWS's reaches us by the environment alone, as the SageMaker SDK does."""
    for name, value in yard.environment().items():
        if name not in ("PATH", "HOME"):
            monkeypatch.setenv(name, value)
    session = botocore.session.Session()
    client = session.create_client("sts", endpoint_url="https://sts.us-west-2.amazonaws.com", region_name="us-west-2")
    assert client.get_caller_identity()["Account"] == ACCOUNT


def test_telemetry_is_refused_at_once(proxied: urllib3.ProxyManager) -> None:
    """The SDK's unsigned telemetry request is refused (4xx, so not repeated) by this server, and at once."""
    began = time.monotonic()
    url = "https://sm-pysdk-t-us-west-2.s3.us-west-2.amazonaws.com/telemetry?x-accountId=111122223333"
    answer = proxied.request("GET", url)
    assert answer.status in (403, 404)
    assert answer.headers["server"] == "modelyard"
    assert time.monotonic() - began < 2


def test_other_hosts_are_out_of_reach(proxied: urllib3.ProxyManager) -> None:
    """The proxy leads to AWS's names alone."""
    with pytest.raises(urllib3.exceptions.MaxRetryError) as raised:
        proxied.request("GET", "https://example.com/", retries=urllib3.Retry(0))
    assert "403" in str(raised.value)


def test_the_environment_of_a_client(yard: RunningYard) -> None:
    """The AWS CLI, with nothing but what `modelyard env` prints, is told who it is."""
    command = [str(Path(MODELYARD[0]).with_name("aws")), "sts", "get-caller-identity", "--output", "json"]
    done = subprocess.run(command, env=yard.environment(), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["Account"] == ACCOUNT


# --- starting and stopping ------------------------------------------------------------------------


@pytest.fixture
def own_yard(tmp_path: Path) -> Iterator[RunningYard]:
    """A server of the test's own, to be stopped."""
    made = RunningYard(tmp_path / "data")
    made.start()
    yield made
    if made.process is not None:
        made.kill()
    assert not made.defects()


def test_stop_and_start(own_yard: RunningYard) -> None:
    """Told to stop, the server ends with code 0 within a second; started again on the same port it has everything."""
    own_yard.client("s3").create_bucket(Bucket="kept")
    began = time.monotonic()
    assert own_yard.stop() == 0
    assert time.monotonic() - began < 3
    own_yard.start()
    assert [bucket["Name"] for bucket in own_yard.client("s3").list_buckets()["Buckets"]] == ["kept"]


def test_a_request_under_way_is_finished(own_yard: RunningYard) -> None:
    """An upload that is under way when the server is told to stop is taken in and acknowledged."""
    client = own_yard.client("s3")
    client.create_bucket(Bucket="under-way")
    url = client.generate_presigned_url("put_object", Params={"Bucket": "under-way", "Key": "k"})
    target = url.removeprefix(own_yard.endpoint)
    with socket.create_connection(("127.0.0.1", own_yard.port), timeout=20) as peer, _idle(own_yard):
        head = f"PUT {target} HTTP/1.1\r\nhost: 127.0.0.1:{own_yard.port}\r\ncontent-length: 3000000\r\n\r\n"
        peer.sendall(head.encode() + bytes(1_500_000))
        time.sleep(0.2)
        assert own_yard.process is not None
        own_yard.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", own_yard.port), timeout=5)
        peer.sendall(bytes(1_500_000))
        assert peer.recv(1000).startswith(b"HTTP/1.1 200 ")
    assert own_yard.process.wait(20) == 0
    own_yard.stop()
    own_yard.start()
    assert own_yard.client("s3").head_object(Bucket="under-way", Key="k")["ContentLength"] == 3_000_000


def _idle(yard: RunningYard) -> socket.socket:
    """A connection that wants nothing, which must not keep the server from stopping."""
    return socket.create_connection(("127.0.0.1", yard.port), timeout=20)


def test_two_servers_on_one_data_directory(own_yard: RunningYard) -> None:
    """A second server on the same SQLite database sees what the first wrote, and the other way round."""
    second = RunningYard.__new__(RunningYard)
    second.__dict__.update({**own_yard.__dict__, "port": 0})
    second.start()
    try:
        own_yard.client("s3").create_bucket(Bucket="from-the-first")
        second.client("s3").create_bucket(Bucket="from-the-second")
        names = {"from-the-first", "from-the-second"}
        for server in (own_yard, second):
            assert {bucket["Name"] for bucket in server.client("s3").list_buckets()["Buckets"]} == names
    finally:
        second.stop()


def _serve(*arguments: str) -> str:
    """What `modelyard serve` says when it cannot start."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MODELYARD_")}
    done = subprocess.run(
        [*MODELYARD, "serve", *arguments], env=environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 1
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1
    return lines[0]


def test_a_port_that_is_taken(yard: RunningYard) -> None:
    """A taken port is told in one sentence."""
    assert f"Port {yard.port} of 127.0.0.1 is taken by another program" in _serve(
        "--data", str(yard.data), "--port", str(yard.port)
    )


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    """A data directory that was not made is told in one sentence, with the command that makes it."""
    assert f"make it with `modelyard init --data {tmp_path / 'none'}`" in _serve("--data", str(tmp_path / "none"))


def test_a_directory_that_is_empty(tmp_path: Path) -> None:
    """A directory that is no data directory is told in one sentence."""
    assert f"run `modelyard init --data {tmp_path}` first" in _serve("--data", str(tmp_path), "--port", "0")


def test_a_host_that_is_not_ours(yard: RunningYard) -> None:
    """An address of another machine is told in one sentence."""
    assert "192.0.2.1 is not an address of this machine" in _serve("--data", str(yard.data), "--host", "192.0.2.1", "--port", "0")
