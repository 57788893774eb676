"""Data capture and shadow variants through boto3 and the SDK: beside answers that nobody had to wait for."""

import base64
import json
import re
import subprocess
import zlib
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.clients.environments import client_environment
from tests.endpoints import IMAGE, Deployer, Load, eventually, packed, program, says
from tests.running import ACCOUNT, RunningYard, both_databases

pytestmark = [pytest.mark.slow]

PROGRAMS = Path(__file__).parent / "programs"
KEY = r"/(?P<variant>[^/]+)/\d{4}/\d\d/\d\d/\d\d/\d\d-\d\d-\d{3}-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.jsonl"
ANSWERS = """
def invoke(body, headers):
    if body == b"fail":
        return 500, b"no", {}
    return 200, b'{"said": "' + body + b'"}', {"Content-Type": "application/json; charset=utf-8"}
"""


class Captures(Deployer):
    """A deployer who has data captured."""

    def writer(self) -> str:
        """An execution role that may write what is captured, and logs."""
        return self.role("writes", "s3:GetObject", "s3:PutObject", "logs:*", "kms:GenerateDataKey")

    def capture(self, **more: Any) -> dict[str, Any]:
        """A DataCaptureConfig, of everything unless `more` says otherwise."""
        return {
            "EnableCapture": True,
            "InitialSamplingPercentage": 100,
            "DestinationS3Uri": f"s3://{self.bucket}/captured/",
            "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
            "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"], "JsonContentTypes": ["application/json"]},
            **more,
        }

    def endpoint(self, name: str) -> str:
        self.sagemaker.create_endpoint(EndpointName=self.named(name), EndpointConfigName=self.named(name))
        self.settled(self.named(name))
        return self.named(name)

    def lines(self, endpoint: str) -> list[tuple[str, dict[str, Any]]]:
        """What was captured, each with its variant."""
        found = []
        prefix = f"captured/{endpoint}"
        listed = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=f"{prefix}/").get("Contents", [])
        for one in listed:
            key = re.fullmatch(re.escape(prefix) + KEY, one["Key"])
            assert key is not None, one["Key"]
            content = self.s3.get_object(Bucket=self.bucket, Key=one["Key"])["Body"].read()
            found += [(key["variant"], json.loads(line)) for line in content.splitlines()]
        return found

    def captured(self, endpoint: str, number: int) -> list[tuple[str, dict[str, Any]]]:
        """The same, once it is so many lines."""
        found: list[tuple[str, dict[str, Any]]] = eventually(
            lambda: len(lines := self.lines(endpoint)) >= number and lines, seconds=60
        )
        assert len(found) == number
        return found

    def logged(self, endpoint: str) -> str:
        """What is in the log group of an endpoint about losses."""
        logs = self.yard.client("logs")
        try:
            events = logs.filter_log_events(logGroupName=f"/aws/sagemaker/Endpoints/{endpoint}")["events"]
        except logs.exceptions.ResourceNotFoundException:
            return ""
        return "\n".join(one["message"] for one in events if one["logStreamName"].endswith("/losses"))


@pytest.fixture
def deployer(yard: RunningYard, request: pytest.FixtureRequest) -> Captures:
    """Somebody who deploys, with names of the test's own."""
    return Captures(yard, f"t{zlib.crc32(request.node.name.encode()):x}")


@both_databases
@pytest.mark.documented
def test_requests_and_answers_are_captured(deployer: Captures):
    """By endpoint, variant and hour, as lines with what went in and came out; text as such where its type is listed."""
    deployer.model("m", program(ANSWERS), ExecutionRoleArn=deployer.writer())
    deployer.config("m", DataCaptureConfig=deployer.capture())
    name = deployer.endpoint("m")
    assert deployer.described(name)["DataCaptureConfig"] == {
        "EnableCapture": True,
        "CaptureStatus": "Started",
        "CurrentSamplingPercentage": 100,
        "DestinationS3Uri": f"s3://{deployer.bucket}/captured/",
    }
    deployer.invoke(name, b"1,2", ContentType="text/csv", CustomAttributes="who=me, where=here", InferenceId="seven")
    with pytest.raises(ClientError, match="ModelError"):
        deployer.invoke(name, b"fail", ContentType="text/csv")
    deployer.invoke(name, b"\xff", ContentType="image/png")
    first, second = [line for variant, line in deployer.captured(name, 2) if variant == "AllTraffic"]
    assert first["captureData"] == {
        "endpointInput": {"observedContentType": "text/csv", "mode": "INPUT", "data": "1,2", "encoding": "CSV"},
        "endpointOutput": {
            "observedContentType": "application/json; charset=utf-8",
            "mode": "OUTPUT",
            "data": '{"said": "1,2"}',
            "encoding": "JSON",
        },
    }
    about = first["eventMetadata"]
    assert (about["customAttributes"], about["inferenceId"], first["eventVersion"]) == (["who=me, where=here"], "seven", "0")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", about["inferenceTime"])
    given, out = second["captureData"]["endpointInput"], second["captureData"]["endpointOutput"]
    assert (given["encoding"], base64.b64decode(given["data"])) == ("BASE64", b"\xff")
    assert out["encoding"] == "BASE64", "an answer that is no text is not written as text"
    assert not {"customAttributes", "inferenceId"} & second["eventMetadata"].keys()


@pytest.mark.documented
def test_a_shadow_is_asked_and_answers_nobody(deployer: Captures):
    """Its answers are captured with those they are to be compared with; its errors and its slowness are nobody's."""
    role = deployer.writer()
    deployer.model("good", says("good"), ExecutionRoleArn=role)
    deployer.model("next", says("next"), ExecutionRoleArn=role)
    shadow = {
        "VariantName": "Shadow",
        "ModelName": deployer.named("next"),
        "InitialInstanceCount": 1,
        "InstanceType": "ml.m5.large",
    }
    deployer.config("good", ShadowProductionVariants=[shadow], DataCaptureConfig=deployer.capture())
    name = deployer.endpoint("good")
    shown = deployer.described(name)
    assert [one["VariantName"] for one in shown["ProductionVariants"]] == ["AllTraffic"]
    [one] = shown["ShadowProductionVariants"]
    assert (one["VariantName"], one["CurrentInstanceCount"], one["CurrentWeight"]) == ("Shadow", 1, 1.0)
    assert {deployer.invoke(name, b"%d" % number, ContentType="text/plain") for number in range(5)} == {b"good"}
    with pytest.raises(ClientError, match="The variant Shadow is not found"):
        deployer.invoke(name, TargetVariant="Shadow")
    events: dict[str, dict[str, str]] = {}
    for variant, line in deployer.captured(name, 10):
        answer = base64.b64decode(line["captureData"]["endpointOutput"]["data"]).decode()
        events.setdefault(line["eventMetadata"]["eventId"], {})[variant] = answer
    assert list(events.values()) == [{"AllTraffic": "good", "Shadow": "next"}] * 5
    deployer.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName=name, DesiredWeightsAndCapacities=[{"VariantName": "Shadow", "DesiredWeight": 0.0}]
    )
    assert deployer.settled(name)["ShadowProductionVariants"][0]["CurrentWeight"] == 0.0
    deployer.invoke(name)
    assert len(deployer.captured(name, 11)) == 11
    [use] = deployer.yard.client("modelyard").list_endpoint_deployments(EndpointName=name, MaxResults=1)["Deployments"]
    assert [one.get("Shadow") for one in use["Variants"]] == [None, True]
    assert deployer.yard.modelyard("endpoints", "history", name).count("(shadow)") == 2


@pytest.mark.seen
def test_sdk_2_turns_capture_on_and_off(deployer: Captures):
    """Deploy with a DataCaptureConfig, disable_data_capture, enable_data_capture and update_data_capture_config, unmodified."""
    uri = deployer.upload("m", packed(serve=program(ANSWERS)))
    destination = f"s3://{deployer.bucket}/sdk"
    command = [client_environment("sdk2"), PROGRAMS / "sdk2_capture.py", IMAGE, uri, destination, deployer.named("sdk")]
    environment = deployer.yard.environment(profile="execution-role")
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    default = f"s3://sagemaker-us-east-1-{ACCOUNT}/model-monitor/data-capture"
    assert found["seen"] == [
        ["Started", 100, f"{destination}/first"],
        ["Stopped", 20, default],
        ["Started", 20, default],
        ["Started", 100, f"{destination}/second"],
    ]
    [first], [second] = found["first"], found["second"]
    assert (first["endpointInput"]["data"], first["endpointInput"]["encoding"]) == ("1,2,3", "CSV")
    assert (first["endpointOutput"]["data"], first["endpointOutput"]["encoding"]) == ('{"said": "1,2,3"}', "JSON")
    assert (second.keys(), second["endpointInput"]["data"], found["in first"]) == ({"endpointInput"}, "7,8,9", 1)


@pytest.mark.documented
def test_captures_are_encrypted_and_retained(deployer: Captures):
    """Under the key that is named; an update that retains properties goes on capturing, unless capture is excluded."""
    key = deployer.yard.client("kms").create_key()["KeyMetadata"]["Arn"]
    role = deployer.writer()
    deployer.model("one", program(ANSWERS), ExecutionRoleArn=role)
    deployer.config("one", DataCaptureConfig=deployer.capture(KmsKeyId=key))
    name = deployer.endpoint("one")
    shown = deployer.described(name)["DataCaptureConfig"]
    assert shown["KmsKeyId"] == key
    deployer.invoke(name, b"1", ContentType="text/csv")
    deployer.captured(name, 1)
    [written] = deployer.s3.list_objects_v2(Bucket=deployer.bucket, Prefix=f"captured/{name}")["Contents"]
    head = deployer.s3.head_object(Bucket=deployer.bucket, Key=written["Key"])
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", key)
    deployer.model("two", says("two"), ExecutionRoleArn=role)
    deployer.config("two")
    more = {"EndpointName": name, "EndpointConfigName": deployer.named("two"), "RetainAllVariantProperties": True}
    deployer.sagemaker.update_endpoint(**more)
    assert deployer.settled(name)["DataCaptureConfig"] == shown
    assert deployer.invoke(name, b"2", ContentType="text/csv") == b"two"
    deployer.captured(name, 2)
    deployer.sagemaker.update_endpoint(**more, ExcludeRetainedVariantProperties=[{"VariantPropertyType": "DataCaptureConfig"}])
    assert "DataCaptureConfig" not in deployer.settled(name)


@pytest.mark.documented
def test_a_role_that_may_not_write_loses_captures_and_no_request(deployer: Captures):
    """Requests are answered all the same, and the endpoint's log group says what is missing."""
    deployer.model("m", program(ANSWERS), ExecutionRoleArn=deployer.role("reads", "s3:GetObject", "logs:*"))
    deployer.config("m", DataCaptureConfig=deployer.capture())
    name = deployer.endpoint("m")
    assert deployer.invoke(name, b"1") == b'{"said": "1"}'
    told = eventually(lambda: deployer.logged(name))
    assert told.startswith("Data captures that were lost: 1. ") and "s3:PutObject" in told
    assert deployer.lines(name) == []


@pytest.mark.documented
def test_streamed_answers_are_captured_whole(deployer: Captures):
    """What InvokeEndpointWithResponseStream brought in pieces is one line."""
    part = """
class Pieces(Handler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "text/csv")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for word in (b"one,", b"two"):
            self.wfile.write(b"%x\\r\\n%b\\r\\n" % (len(word), word))
            self.wfile.flush()
        self.wfile.write(b"0\\r\\n\\r\\n")
Handler = Pieces
"""
    deployer.model("m", program(part), ExecutionRoleArn=deployer.writer())
    deployer.config("m", DataCaptureConfig=deployer.capture(CaptureOptions=[{"CaptureMode": "Output"}]))
    name = deployer.endpoint("m")
    pieces = deployer.runtime.invoke_endpoint_with_response_stream(EndpointName=name, Body=b"x")["Body"]
    assert b"".join(one["PayloadPart"]["Bytes"] for one in pieces) == b"one,two"
    [(_, line)] = deployer.captured(name, 1)
    assert line["captureData"] == {
        "endpointOutput": {"observedContentType": "text/csv", "mode": "OUTPUT", "data": "one,two", "encoding": "CSV"}
    }


def shadow_of(deployer: Deployer, model: str, **more: Any) -> list[dict[str, Any]]:
    instances = {"InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    return [{"VariantName": "Shadow", "ModelName": deployer.named(model), **instances, **more}]


@pytest.mark.documented
def test_shadows_come_and_go_under_load(deployer: Captures):
    """Configurations with and without a shadow follow each other, one is promoted, and no request fails; a shadow that hangs or
    refuses is noticed by nobody who asks; one that does not come up fails the update."""
    part = """
def invoke(body, headers):
    if body == b"hang":
        time.sleep(40)
    return 500, b"not yet", {}
"""
    name = deployer.deploy("good", says("good"))
    deployer.model("refuses", program(part))
    deployer.model("next", says("next"))
    deployer.model("broken", program("raise SystemExit(3)"))
    good = {"ModelName": deployer.named("good")}
    deployer.config("with-refusing", good, ShadowProductionVariants=shadow_of(deployer, "refuses"))
    deployer.config("with-next", good, ShadowProductionVariants=shadow_of(deployer, "next", InitialInstanceCount=2))
    deployer.config("with-broken", good, ShadowProductionVariants=shadow_of(deployer, "broken"))
    deployer.config("promoted", {"ModelName": deployer.named("next"), "InitialInstanceCount": 2})

    def update(config: str) -> dict[str, Any]:
        deployer.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=deployer.named(config))
        return deployer.settled(name)

    with Load(deployer, name) as load:
        assert update("with-refusing")["ShadowProductionVariants"][0]["VariantName"] == "Shadow"
        assert deployer.invoke(name, b"hang") == b"good"
        told = eventually(lambda: deployer.logged(name))
        assert "Copies to a shadow variant that were lost: " in told and "not yet" in told
        shown = update("with-broken")
        assert shown["EndpointConfigName"] == deployer.named("with-refusing")
        assert "production variant Shadow did not pass the ping health check" in shown["FailureReason"]
        [variant] = update("with-next")["ShadowProductionVariants"]
        assert (variant["CurrentInstanceCount"], variant["DesiredInstanceCount"]) == (2, 2)
        assert deployer.invoke(name) == b"good"
        assert "ShadowProductionVariants" not in update("promoted")
        assert deployer.invoke(name) == b"next"
    assert not load.failed, load.failed[:3]
    assert load.answers.keys() == {b"good", b"next"}
