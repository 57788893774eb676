"""Batch transform through boto3: models that really answer, in sandboxed processes, from S3 to S3."""

import gzip
import json
import re
import subprocess
import zlib
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, WaiterError
from tests.clients.environments import client_environment
from tests.endpoints import IMAGE, eventually, packed, program
from tests.running import ACCOUNT, RunningYard, both_databases
from tests.transforms import SUM, Transforming

pytestmark = [pytest.mark.slow]

PROGRAMS = Path(__file__).parent / "programs"

LAST_WORDS = """
import atexit
atexit.register(print, "and good bye", flush=True)
def invoke(body, headers):
    print("answered", body.decode(), flush=True)
    return 200, body, {}
"""

SHOWS = """
def invoke(body, headers):
    return 200, json.dumps([len(body.split(b"\\n")), os.environ.get("MINE"), os.environ.get("SAGEMAKER_BATCH")]).encode(), {}
"""


@pytest.fixture
def transforming(yard: RunningYard, request: pytest.FixtureRequest) -> Transforming:
    """Somebody who transforms, with names of the test's own."""
    return Transforming(yard, f"t{zlib.crc32(request.node.name.encode()):x}")


@both_databases
@pytest.mark.documented
def test_inputs_become_outputs(transforming: Transforming):
    """Each object below a prefix has an output beside the others, with its rows joined to what the model made of some columns."""
    model = transforming.ready("sum", SUM)
    transforming.put("in/a.csv", b"x,1,2\ny,3,4\n")
    transforming.put("in/deep/b.csv", b"z,5,6\n")
    name = transforming.begin(
        "one",
        model,
        f"s3://{transforming.bucket}/in",
        given={"SplitType": "Line"},
        wanted={"AssembleWith": "Line", "Accept": "text/csv"},
        DataProcessing={"InputFilter": "$[1:]", "JoinSource": "Input", "OutputFilter": "$[0,-1]"},
    )
    assert transforming.job(name)["TransformJobStatus"] == "InProgress"
    shown = transforming.ended(name)
    assert transforming.outputs("out-one/") == {"a.csv.out": "x,3.0\ny,7.0\n", "deep/b.csv.out": "z,11.0\n"}
    assert shown["CreationTime"] <= shown["TransformStartTime"] <= shown["TransformEndTime"]
    assert shown["TransformInput"]["CompressionType"] == "None"
    transforming.sagemaker.get_waiter("transform_job_completed_or_stopped").wait(TransformJobName=name)
    arn = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:transform-job/{name}"
    assert shown["TransformJobArn"] == arn
    with pytest.raises(ClientError, match=r"ResourceInUse.*must be unique"):
        transforming.begin("one", model, f"s3://{transforming.bucket}/in")
    with pytest.raises(ClientError, match=r"ValidationException.*Could not find requested job with name: nobody"):
        transforming.job("nobody")


@pytest.mark.documented
def test_what_fails_says_why_and_holds_up_nothing_else(transforming: Transforming):
    """An input that the model refuses has no output; the others have theirs, and the job has failed with file, status and log."""
    model = transforming.ready("sum", SUM)
    transforming.put("in/a.csv", b"1,2\n")
    transforming.put("in/b.csv", b"1\nbad\n")
    transforming.put("in/c.csv", b"3,4\n")
    name = transforming.begin(
        "fails", model, f"s3://{transforming.bucket}/in/", given={"SplitType": "Line"}, BatchStrategy="SingleRecord"
    )
    reason = transforming.ended(name, "Failed")["FailureReason"]
    assert f's3://{transforming.bucket}/in/b.csv: the container primary answered 400: "what is bad?"' in reason
    assert transforming.outputs("out-fails/") == {"a.csv.out": "3.0", "c.csv.out": "7.0"}
    with pytest.raises(WaiterError):
        transforming.sagemaker.get_waiter("transform_job_completed_or_stopped").wait(TransformJobName=name)
    logs = transforming.yard.client("logs")
    group = "/aws/sagemaker/TransformJobs"

    def lines() -> dict[str, str]:
        found = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{name}/")["logStreams"]
        return {
            stream["logStreamName"].rpartition("/")[2]: " ".join(
                event["message"]
                for event in logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"])["events"]
            )
            for stream in found
        }

    found = lines()
    assert "answered 400" in found["data-log"] and "BatchStrategy=SINGLE_RECORD" in found["data-log"]
    assert any("serving" in text for stream, text in found.items() if stream.startswith("i-"))


@both_databases
@pytest.mark.ours
def test_who_sees_the_end_of_a_job_finds_its_logs(transforming: Transforming):
    """Once a job has ended its log streams have it all: what its containers printed, to their last words, and what was done."""
    model = transforming.ready("talks", LAST_WORDS)
    transforming.put("in/a", b"first")
    logs = transforming.yard.client("logs")
    name = transforming.begin("talks", model, f"s3://{transforming.bucket}/in/")
    transforming.ended(name)
    found = logs.filter_log_events(logGroupName="/aws/sagemaker/TransformJobs", logStreamNamePrefix=f"{name}/")["events"]
    text = "\n".join(event["message"] for event in found)
    assert "answered first" in text and "and good bye" in text and "BatchStrategy" in text


@pytest.mark.documented
def test_what_comes_packed_listed_or_in_lines_of_json(transforming: Transforming):
    """A manifest names the inputs, gzip is unpacked, and answers are joined to lines of JSON under SageMakerOutput."""
    model = transforming.ready("sum", SUM)
    lines = b'{"id": 1, "features": [1, 2]}\n{"id": 2, "features": [3]}\n'
    transforming.put("data/one.jsonl.gz", gzip.compress(lines))
    transforming.put("data/other.jsonl.gz", b"never read")
    manifest = json.dumps([{"prefix": f"s3://{transforming.bucket}/data/"}, "one.jsonl.gz"])
    name = transforming.begin(
        "json",
        model,
        transforming.put("manifest", manifest.encode()),
        kind="ManifestFile",
        given={"ContentType": "application/jsonlines", "SplitType": "Line", "CompressionType": "Gzip"},
        wanted={"AssembleWith": "Line", "Accept": "application/jsonlines"},
        DataProcessing={"JoinSource": "Input", "OutputFilter": "$['id','SageMakerOutput']"},
    )
    transforming.ended(name)
    [(key, text)] = transforming.outputs("out-json/").items()
    assert key == "one.jsonl.gz.out"
    assert [json.loads(line) for line in text.splitlines()] == [
        {"id": 1, "SageMakerOutput": {"sum": 3}},
        {"id": 2, "SageMakerOutput": {"sum": 3}},
    ]


@pytest.mark.documented
def test_containers_say_how_they_want_it(transforming: Transforming):
    """What a job leaves open, the container's /execution-parameters say; its variables are SageMaker's, and those of the job."""
    offers = """
import http.server
class Offering(Handler):
    def do_GET(self):
        if self.path == "/execution-parameters":
            offer = {"MaxConcurrentTransforms": 4, "BatchStrategy": "SINGLE_RECORD", "MaxPayloadInMB": 1}
            return self.reply(200, json.dumps(offer).encode())
        super().do_GET()
"""
    serve = program(SHOWS + offers).replace("), Handler)", "), Offering)")
    model = transforming.model("shows", serve, ExecutionRoleArn=transforming.execution, container={"Environment": {"MINE": "0"}})
    uri = transforming.put("in/lines", b"1\n2\n3\n")
    given, wanted = {"SplitType": "Line"}, {"AssembleWith": "Line"}
    first = transforming.begin("offered", model, uri, given=given, wanted=wanted, Environment={"MINE": "1"})
    second = transforming.begin("own", model, uri, given=given, wanted=wanted, BatchStrategy="MultiRecord")
    transforming.ended(first)
    assert transforming.outputs("out-offered/") == {"lines.out": '[1, "1", "true"]\n' * 3}
    transforming.ended(second)
    assert transforming.outputs("out-own/") == {"lines.out": '[3, "0", "true"]\n'}


@pytest.mark.documented
def test_containers_in_a_row_on_several_instances(transforming: Transforming):
    """A model of several containers answers through all of them, on as many instances as the job asks for."""
    adds = 'def invoke(body, headers):\n    return 200, body + b"%s", {"Content-Type": headers["Content-Type"]}\n'
    containers = [
        {"Image": "modelyard/program:1", "ModelDataUrl": transforming.upload(word, packed(serve=program(adds % word)))}
        for word in ("first", "second")
    ]
    model = transforming.named("row")
    transforming.sagemaker.create_model(ModelName=model, Containers=containers, ExecutionRoleArn=transforming.execution)
    for number in range(6):
        transforming.put(f"in/{number}", b"%d" % number)
    name = transforming.begin("row", model, f"s3://{transforming.bucket}/in/", instances=2)
    transforming.ended(name)
    assert transforming.outputs("out-row/") == {f"{number}.out": f"{number}firstsecond" for number in range(6)}
    logs = transforming.yard.client("logs")

    def streams() -> set[str]:
        found = logs.describe_log_streams(logGroupName="/aws/sagemaker/TransformJobs", logStreamNamePrefix=f"{name}/")
        return {one["logStreamName"].split("/")[1] for one in found["logStreams"]}

    assert len(streams()) == 2


@pytest.mark.documented
def test_a_job_that_is_stopped(transforming: Transforming):
    """A job whose model takes for ever is stopped; of what was under way there is no output, and stopping again does no harm."""
    slow = "def invoke(body, headers):\n    time.sleep(0 if body == b'quick' else 600)\n    return 200, body, {}\n"
    model = transforming.ready("slow", slow)
    transforming.put("in/a", b"quick")
    transforming.put("in/b", b"slow")
    name = transforming.begin("stops", model, f"s3://{transforming.bucket}/in/")
    eventually(lambda: transforming.outputs("out-stops/"))
    transforming.sagemaker.stop_transform_job(TransformJobName=name)
    shown = transforming.ended(name, "Stopped")
    assert "FailureReason" not in shown
    assert transforming.outputs("out-stops/") == {"a.out": "quick"}
    transforming.sagemaker.stop_transform_job(TransformJobName=name)
    assert transforming.ended(name, "Stopped")["TransformEndTime"] == shown["TransformEndTime"]


@pytest.mark.documented
def test_jobs_that_cannot_run(transforming: Transforming):
    """Nothing to read, a role that may not read, a model that does not come up, records that are too large: each says so."""
    well = transforming.ready("well", SUM)
    broken = transforming.ready("broken", "raise SystemExit(3)")
    poor = transforming.model("poor", program(SUM), ExecutionRoleArn=transforming.role("poor", "logs:*", "s3:GetObject"))
    uri = transforming.put("in/a.csv", b"1,2\n" + b"1" * (1024 * 1024 + 1))
    nothing = transforming.begin("nothing", well, f"s3://{transforming.bucket}/none/")
    denied = transforming.begin("denied", poor, uri)
    down = transforming.begin("down", broken, uri)
    large = transforming.begin("large", well, uri, given={"SplitType": "Line"}, MaxPayloadInMB=1)
    for name, words in (
        (nothing, "No S3 objects found under S3 URL"),
        (denied, "is not authorized to perform: s3:ListBucket"),
        (down, r"did not pass the ping health check.*exited with code 3"),
        (large, "Too much data for max payload size"),
    ):
        assert re.search(words, transforming.ended(name, "Failed")["FailureReason"]), words
    assert transforming.outputs("out-large/") == {}


@pytest.mark.documented
def test_answers_that_do_not_fit_what_they_answer(transforming: Transforming):
    """Answers that cannot be joined fail their input, with what is wrong."""
    one = "def invoke(body, headers):\n    return 200, b'1', {'Content-Type': 'text/csv'}\n"
    model = transforming.ready("one", one)
    uri = transforming.put("in/a.csv", b"1,2\n3,4\n")
    processing = {"JoinSource": "Input"}
    name = transforming.begin("joins", model, uri, given={"SplitType": "Line"}, DataProcessing=processing)
    assert "answered 1 records to 2" in transforming.ended(name, "Failed")["FailureReason"]
    processing = {"OutputFilter": "$[7]"}
    name = transforming.begin("finds", model, uri, DataProcessing=processing)
    assert "finds nothing in a record: there is no element 7" in transforming.ended(name, "Failed")["FailureReason"]


@pytest.mark.seen
def test_the_sdk_transforms(transforming: Transforming, yard: RunningYard):
    """SDK v2, unmodified: Model.transformer with its log streaming, ModelPackage.transformer, and Transformer, also attached."""
    transforming.put("sdk/in/a.csv", b"x,1,2\ny,3,4\n")
    data = transforming.upload("sdk", packed(serve=program(SUM)))
    group = transforming.named("sdk")
    transforming.sagemaker.create_model_package_group(ModelPackageGroupName=group)
    version = transforming.sagemaker.create_model_package(
        ModelPackageGroupName=group,
        ModelApprovalStatus="Approved",
        InferenceSpecification={"Containers": [{"Image": IMAGE, "ModelDataUrl": data}]},
    )["ModelPackageArn"]
    folder = f"s3://{transforming.bucket}/sdk"
    command = [client_environment("sdk2"), PROGRAMS / "sdk2_transform.py", IMAGE, data, version, folder]
    environment = yard.environment(profile="execution-role")
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found.pop("stopped") in ("Stopping", "Stopped")
    assert found == {
        "status": "Completed",
        "environment": {"MINE": "1"},
        "tags": [{"Key": "team", "Value": "fraud"}],
        "package": "Completed",
        "attached": ["MultiRecord", f"{folder}/model"],
    }
    assert "serving" in done.stdout and "BatchStrategy=MULTI_RECORD" in done.stdout
    assert transforming.outputs("sdk/model/") == {"a.csv.out": "x,3.0\ny,7.0\n"}
    assert transforming.outputs("sdk/package/") == {"a.csv.out": "3.0\n7.0"}
