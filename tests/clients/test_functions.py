"""Lambda through boto3: functions that really run, and what starts them."""

import base64
import json
import time
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.functions import ECHO, role, zipped
from tests.running import ACCOUNT, OTHER_ACCOUNT, RunningYard, both_databases

pytestmark = [pytest.mark.slow, pytest.mark.documented]


@pytest.fixture
def runs_as(yard: RunningYard, request: pytest.FixtureRequest) -> str:
    """A role of the test's own for its functions, which may write logs and read models."""
    name = f"{request.node.originalname[:40]}-{zlib.crc32(request.node.name.encode()):x}"
    return role(yard.client("iam"), name, "logs:*", "sagemaker:*", "sqs:*", "s3:*")


def create(yard: RunningYard, name: str, runs_as: str, code: str = ECHO, **more: Any) -> str:
    """Create a function; its ARN."""
    settings: dict[str, Any] = {"Runtime": "python3.11", "Handler": "app.handler", **more}
    made = yard.client("lambda").create_function(FunctionName=name, Role=runs_as, Code={"ZipFile": zipped(code)}, **settings)
    return str(made["FunctionArn"])


def invoke(yard: RunningYard, name: str, event: object = None, **more: Any) -> tuple[Any, dict[str, Any]]:
    """Invoke a function; what it returned, and the answer around it."""
    answer = yard.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event), **more)
    payload = answer["Payload"].read()
    return (json.loads(payload) if payload else None), answer


def eventually(found: Callable[[], Any], seconds: float = 90) -> Any:
    """What is found, once it is."""
    deadline = time.monotonic() + seconds
    while not (result := found()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)
    return result


def messages_of(yard: RunningYard, url: str) -> list[dict[str, Any]]:
    found = yard.client("sqs").receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=2, MessageAttributeNames=["All"]
    )
    messages: list[dict[str, Any]] = found.get("Messages", [])
    return messages


def queue(yard: RunningYard, name: str, **attributes: str) -> tuple[str, str]:
    """A queue: its URL and ARN."""
    url = yard.client("sqs").create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    return url, f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"


@both_databases
def test_function_returns_what_it_makes_of_the_event(yard: RunningYard, runs_as: str):
    """A function created from a zip is pending in the answer and active at once, gets the event and its context, and what it
    returns is the answer's payload."""
    code = (
        "import os\n"
        "def handler(event, context):\n"
        "    return {'event': event, 'id': context.aws_request_id, 'arn': context.invoked_function_arn,\n"
        "            'memory': context.memory_limit_in_mb, 'left': context.get_remaining_time_in_millis(),\n"
        "            'name': context.function_name, 'mine': os.environ['MINE'], 'task': os.environ['LAMBDA_TASK_ROOT']}\n"
    )
    client = yard.client("lambda")
    made = client.create_function(
        FunctionName="returns",
        Runtime="python3.11",
        Role=runs_as,
        Handler="app.handler",
        Code={"ZipFile": zipped(code)},
        Timeout=30,
        MemorySize=256,
        Environment={"Variables": {"MINE": "yes"}},
        Tags={"team": "rc"},
    )
    assert (made["State"], made["Version"]) == ("Pending", "$LATEST")
    client.get_waiter("function_active_v2").wait(FunctionName="returns", WaiterConfig={"Delay": 1, "MaxAttempts": 2})
    found = client.get_function(FunctionName="returns")
    assert found["Configuration"]["LastUpdateStatus"] == "Successful"
    assert found["Tags"] == {"team": "rc"}
    for event in ({"a": [1, "ü"]}, None, "text"):
        returned, answer = invoke(yard, "returns", event)
        assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
        assert "FunctionError" not in answer
        assert returned["event"] == event
        assert returned["id"] == answer["ResponseMetadata"]["RequestId"]
        assert returned["arn"] == made["FunctionArn"]
        assert (returned["memory"], returned["name"], returned["mine"]) == ("256", "returns", "yes")
        assert 25_000 < returned["left"] <= 30_001
        assert returned["task"] == "/var/task"


def test_function_calls_modelyard_as_its_role(yard: RunningYard, runs_as: str):
    """boto3 in a function, given nothing, reaches Modelyard with the permissions of the role: it makes a group, and may make
    no user."""
    code = (
        "import boto3\n"
        "def handler(event, context):\n"
        "    made = boto3.client('sagemaker').create_model_package_group(ModelPackageGroupName=event)\n"
        "    who = boto3.client('sts').get_caller_identity()['Arn']\n"
        "    try:\n"
        "        boto3.client('iam').create_user(UserName='intruder')\n"
        "    except Exception as error:\n"
        "        return {'group': made['ModelPackageGroupArn'], 'who': who, 'refused': error.response['Error']['Code']}\n"
    )
    create(yard, "calls", runs_as, code, Timeout=30)
    returned, _ = invoke(yard, "calls", "made-by-a-function")
    assert returned["group"].endswith("model-package-group/made-by-a-function")
    assert returned["who"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/{runs_as.rpartition('/')[2]}/calls"
    assert returned["refused"] == "AccessDenied"


def test_functions_of_the_deployment_pipeline_run_in_their_style(yard: RunningYard, runs_as: str):
    """A function that lists what a registry holds by name and answers a Boolean, as `check-if-endpoint-exists` does, works as
    written."""
    code = (
        "import json\nimport boto3\n\nsm = boto3.client('sagemaker')\n\n"
        "def lambda_handler(event, context):\n"
        "    name = event['group_name']\n"
        "    found = sm.list_model_package_groups(NameContains=name)['ModelPackageGroupSummaryList']\n"
        "    exists = any(group['ModelPackageGroupName'] == name for group in found)\n"
        "    return {'statusCode': 200, 'body': json.dumps('done'), 'exists': exists}\n"
    )
    create(yard, "check-if-exists", runs_as, code, Handler="app.lambda_handler", MemorySize=1024, Timeout=900)
    assert invoke(yard, "check-if-exists", {"group_name": "not-there"})[0]["exists"] is False
    yard.client("sagemaker").create_model_package_group(ModelPackageGroupName="there-it-is")
    assert invoke(yard, "check-if-exists", {"group_name": "there-it-is"})[0]["exists"] is True


@pytest.mark.parametrize(
    ("name", "code", "settings", "kind", "text"),
    [
        ("raises", "def handler(e, c): raise KeyError('gone')", {}, "KeyError", "'gone'"),
        ("no-import", "import nothing_like_this", {}, "Runtime.ImportModuleError", "No module named 'nothing_like_this'"),
        ("no-handler", "x = 1", {}, "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'app'"),
        ("slow", "import time\ndef handler(e, c): time.sleep(60)", {"Timeout": 1}, "Sandbox.Timedout", "after 1.00 seconds"),
        ("exits", "import os\ndef handler(e, c): os._exit(3)", {}, "Runtime.ExitError", "exit status 3"),
        (
            "eats",
            "def handler(e, c):\n    kept = []\n    while True: kept.append(b'x' * 1_000_000)",
            {"Timeout": 60},
            "Runtime.ExitError",
            "signal: killed",
        ),
        ("unserialisable", "def handler(e, c): return object()", {}, "Runtime.MarshalError", "Unable to marshal response"),
        (
            "returns-much",
            "def handler(e, c): return 'x' * (7 * 1024 * 1024)",
            {"MemorySize": 512},
            "Function.ResponseSizeTooLarge",
            "exceeded maximum allowed payload size",
        ),
    ],
)
def test_function_that_fails_says_so(
    yard: RunningYard, runs_as: str, name: str, code: str, settings: dict[str, Any], kind: str, text: str
):
    """A function that fails, however it does, is an answer of 200 with FunctionError and what went wrong, and the next invocation
    of it works the same way."""
    create(yard, name, runs_as, code, **settings)
    for _ in range(2):
        returned, answer = invoke(yard, name, LogType="Tail")
        assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
        assert returned["errorType"] == kind
        assert text in returned["errorMessage"]
        assert f"END RequestId: {answer['ResponseMetadata']['RequestId']}" in base64.b64decode(answer["LogResult"]).decode()


def test_output_goes_to_the_log_group_of_the_function(yard: RunningYard, runs_as: str):
    """What a function prints stands between START and END in its log group, under the role's permissions, and at the end of the
    answer when that is asked for."""
    create(yard, "prints", runs_as, "print('loaded')\ndef handler(event, context):\n    print('working on', event)\n")
    _, answer = invoke(yard, "prints", "it", LogType="Tail")
    request_id = answer["ResponseMetadata"]["RequestId"]
    tail = base64.b64decode(answer["LogResult"]).decode().splitlines()
    assert "working on it" in tail
    assert tail[-1].startswith(f"REPORT RequestId: {request_id}\tDuration: ")
    logs = yard.client("logs")
    events = eventually(lambda: _lines(logs, "/aws/lambda/prints", "END"))
    assert events.index("loaded") < events.index(f"START RequestId: {request_id} Version: $LATEST")
    assert events.index("working on it") < events.index(f"END RequestId: {request_id}")


def _lines(logs: Any, group: str, needed: str) -> list[str]:
    try:
        found = [event["message"] for event in logs.filter_log_events(logGroupName=group)["events"]]
    except ClientError as error:
        assert error.response["Error"]["Code"] == "ResourceNotFoundException"
        return []
    return found if any(needed in line for line in found) else []


def test_role_that_may_not_write_logs_runs_all_the_same(yard: RunningYard):
    """A function whose role has no permissions for logs works, and has no log group."""
    runs_as = role(yard.client("iam"), "writes-no-logs")
    create(yard, "unlogged", runs_as)
    assert invoke(yard, "unlogged", 7)[0] == 7
    time.sleep(0.6)
    groups = yard.client("logs").describe_log_groups(logGroupNamePrefix="/aws/lambda/unlogged")["logGroups"]
    assert groups == []


def test_warm_environment_is_used_again_and_new_code_gets_a_new_one(yard: RunningYard, runs_as: str):
    """Invocations one after the other share a process until code or configuration change; what the function keeps in /tmp and in
    memory is there the next time."""
    code = (
        "import os\ncount = 0\n"
        "def handler(event, context):\n    global count\n    count += 1\n    return [os.getpid(), count, '%s']\n"
    )
    create(yard, "warm", runs_as, code % "first")
    assert [invoke(yard, "warm")[0][1] for _ in range(5)] == [1, 2, 3, 4, 5]
    client = yard.client("lambda")
    updated = client.update_function_code(FunctionName="warm", ZipFile=zipped(code % "second"))
    assert updated["LastUpdateStatus"] == "InProgress"
    assert invoke(yard, "warm")[0][1:] == [1, "second"]
    client.update_function_configuration(FunctionName="warm", Description="other")
    assert invoke(yard, "warm")[0][1:] == [1, "second"]


def test_versions_stay_what_they_were(yard: RunningYard, runs_as: str):
    """A published version runs its own code for ever; publishing again without a change gives the same number."""
    client = yard.client("lambda")
    create(yard, "versioned", runs_as, "def handler(e, c): return 'one'")
    assert client.publish_version(FunctionName="versioned")["Version"] == "1"
    assert client.publish_version(FunctionName="versioned")["Version"] == "1"
    client.update_function_code(FunctionName="versioned", ZipFile=zipped("def handler(e, c): return 'two'"))
    assert client.publish_version(FunctionName="versioned")["Version"] == "2"
    assert [invoke(yard, "versioned", Qualifier=version)[0] for version in ("1", "2", "$LATEST")] == ["one", "two", "two"]
    assert invoke(yard, "versioned:1")[1]["ExecutedVersion"] == "1"
    versions = client.list_versions_by_function(FunctionName="versioned")["Versions"]
    assert [version["Version"] for version in versions] == ["$LATEST", "1", "2"]
    client.delete_function(FunctionName="versioned", Qualifier="1")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        invoke(yard, "versioned", Qualifier="1")
    client.delete_function(FunctionName="versioned")
    with pytest.raises(client.exceptions.ResourceNotFoundException) as refused:
        client.get_function(FunctionName="versioned")
    message = refused.value.response["Error"]["Message"]
    assert message == f"Function not found: arn:aws:lambda:us-east-1:{ACCOUNT}:function:versioned"


def test_code_from_a_bucket(yard: RunningYard, runs_as: str):
    """Code may come from a version of an object, and is kept: deleting the object changes nothing."""
    s3 = yard.client("s3")
    s3.create_bucket(Bucket="functions-code")
    s3.put_object(Bucket="functions-code", Key="code.zip", Body=zipped("def handler(e, c): return 'from s3'"))
    client = yard.client("lambda")
    client.create_function(
        FunctionName="from-s3",
        Runtime="python3.12",
        Role=runs_as,
        Handler="app.handler",
        Code={"S3Bucket": "functions-code", "S3Key": "code.zip"},
    )
    s3.delete_object(Bucket="functions-code", Key="code.zip")
    assert invoke(yard, "from-s3")[0] == "from s3"
    with pytest.raises(client.exceptions.InvalidParameterValueException, match="NoSuchKey"):
        client.update_function_code(FunctionName="from-s3", S3Bucket="functions-code", S3Key="code.zip")


def test_invocations_at_the_same_time_have_environments_of_their_own(yard: RunningYard, runs_as: str):
    """Four invocations that each sleep run side by side, and a function may wait for another one."""
    from concurrent.futures import ThreadPoolExecutor

    create(
        yard, "sleeps", runs_as, "import os, time\ndef handler(e, c):\n    time.sleep(0.7)\n    return os.uname()[1]", Timeout=20
    )
    invoke(yard, "sleeps")
    with ThreadPoolExecutor(4) as pool:
        begun = time.monotonic()
        assert [one[0] for one in pool.map(lambda _: invoke(yard, "sleeps"), range(4))] == ["sandbox"] * 4
        assert time.monotonic() - begun < 2.5
    nesting = (
        "import boto3\ndef handler(depth, context):\n    if not depth: return 0\n"
        "    answer = boto3.client('lambda').invoke(FunctionName='nests', Payload=str(depth - 1))\n"
        "    return 1 + int(answer['Payload'].read())\n"
    )
    nests = role(yard.client("iam"), "nests", "lambda:InvokeFunction")
    create(yard, "nests", nests, nesting, Timeout=60)
    assert invoke(yard, "nests", 3)[0] == 3


@pytest.mark.seen
def test_refusals_are_those_of_aws(yard: RunningYard, runs_as: str):
    """What AWS refuses is refused with its codes and texts, and what is not available here with a sentence."""
    client = yard.client("lambda")
    create(yard, "refuses", runs_as)

    def refused(call: Callable[..., Any], **request: Any) -> tuple[str, str]:
        with pytest.raises(ClientError) as error:
            call(**request)
        return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]

    def creating(**more: Any) -> tuple[str, str]:
        request: dict[str, Any] = {"FunctionName": "never", "Role": runs_as, "Runtime": "python3.11", "Handler": "app.handler"}
        return refused(client.create_function, **{**request, "Code": {"ZipFile": zipped()}, **more})

    assert creating(FunctionName="refuses") == ("ResourceConflictException", "Function already exist: refuses")
    assert creating(Role=f"arn:aws:iam::{ACCOUNT}:role/nobody") == (
        "InvalidParameterValueException",
        "The role defined for the function cannot be assumed by Lambda.",
    )
    assert creating(Code={"ZipFile": b"no zip"})[1].startswith("Could not unzip uploaded file.")
    assert creating(Runtime="nodejs20.x")[1] == "Modelyard runs functions in Python: python3.8 to python3.14, not nodejs20.x."
    assert creating(Environment={"Variables": {"AWS_REGION": "x"}})[0] == "InvalidParameterValueException"
    assert creating(Timeout=901)[0] == "ValidationException"
    assert creating(Layers=["arn:aws:lambda:us-east-1:111122223333:layer:l:1"])[1] == (
        "Layers of Lambda is not available in Modelyard."
    )
    assert refused(client.invoke, FunctionName="nothing-there")[0] == "ResourceNotFoundException"
    assert refused(client.invoke, FunctionName="refuses", Payload=b"{")[0] == "InvalidRequestContentException"
    large = json.dumps("x" * 300_000)
    assert refused(client.invoke, FunctionName="refuses", InvocationType="Event", Payload=large)[0] == "RequestTooLargeException"
    assert invoke(yard, "refuses", "x" * 5_000_000)[0] == "x" * 5_000_000
    assert client.invoke(FunctionName="refuses", InvocationType="DryRun")["StatusCode"] == 204
    assert refused(client.update_function_code, FunctionName="refuses", ZipFile=zipped(), RevisionId="old")[0] == (
        "PreconditionFailedException"
    )


def test_other_account_invokes_only_with_permission(yard: RunningYard, runs_as: str):
    """A function is invoked from another account once its policy says so, and no more when that is taken back."""
    arn = create(yard, "shared", runs_as)
    client, stranger = yard.client("lambda"), yard.client("lambda", OTHER_ACCOUNT)
    with pytest.raises(ClientError, match="AccessDenied"):
        stranger.invoke(FunctionName=arn, Payload="1")
    client.add_permission(FunctionName="shared", StatementId="them", Action="lambda:InvokeFunction", Principal=OTHER_ACCOUNT)
    assert stranger.invoke(FunctionName=arn, Payload="1")["Payload"].read() == b"1"
    policy = json.loads(client.get_policy(FunctionName="shared")["Policy"])
    assert policy["Statement"][0]["Principal"] == {"AWS": f"arn:aws:iam::{OTHER_ACCOUNT}:root"}
    with pytest.raises(client.exceptions.ResourceConflictException):
        client.add_permission(FunctionName="shared", StatementId="them", Action="lambda:InvokeFunction", Principal=OTHER_ACCOUNT)
    client.remove_permission(FunctionName="shared", StatementId="them")
    with pytest.raises(ClientError, match="AccessDenied"):
        stranger.invoke(FunctionName=arn, Payload="1")


@both_databases
def test_asynchronous_invocation_is_told_where_it_is_said(yard: RunningYard, runs_as: str):
    """An Event is acknowledged with 202 and run; one that fails for good goes to the dead-letter queue and the destination."""
    letters, letters_arn = queue(yard, "function-letters")
    told, told_arn = queue(yard, "function-told")
    code = "def handler(event, context):\n    if event == 'bad': raise ValueError('as told')\n    return event\n"
    create(yard, "events", runs_as, code, DeadLetterConfig={"TargetArn": letters_arn})
    client = yard.client("lambda")
    client.put_function_event_invoke_config(
        FunctionName="events",
        MaximumRetryAttempts=0,
        DestinationConfig={"OnSuccess": {"Destination": told_arn}, "OnFailure": {"Destination": told_arn}},
    )
    answer = client.invoke(FunctionName="events", InvocationType="Event", Payload='"good"')
    assert answer["StatusCode"] == 202
    good = eventually(lambda: messages_of(yard, told), 120)[0]
    body = json.loads(good["Body"])
    assert (body["requestContext"]["condition"], body["responsePayload"]) == ("Success", "good")
    assert body["requestContext"]["requestId"] == answer["ResponseMetadata"]["RequestId"]
    client.invoke(FunctionName="events", InvocationType="Event", Payload='"bad"')
    letter = eventually(lambda: messages_of(yard, letters))[0]
    assert letter["Body"] == '"bad"'
    assert letter["MessageAttributes"]["ErrorMessage"]["StringValue"] == "as told"


@both_databases
def test_queue_is_read_by_a_function(yard: RunningYard, runs_as: str):
    """Messages of a mapped queue are handed over in batches and deleted; those that the function reports as failed come again."""
    source, source_arn = queue(yard, "function-source", VisibilityTimeout="3")
    done, _ = queue(yard, "function-done")
    code = (
        "import boto3\nsqs = boto3.client('sqs')\n"
        "seen = set()\n"
        "def handler(event, context):\n"
        "    failures = []\n"
        "    for record in event['Records']:\n"
        "        assert record['eventSource'] == 'aws:sqs' and record['eventSourceARN'].endswith(':function-source')\n"
        "        if record['body'] == 'hard' and record['body'] not in seen:\n"
        "            seen.add(record['body'])\n"
        "            failures.append({'itemIdentifier': record['messageId']})\n"
        "        else:\n"
        f"            sqs.send_message(QueueUrl='{done}', MessageBody=record['body'])\n"
        "    return {'batchItemFailures': failures}\n"
    )
    create(yard, "reads", runs_as, code)
    client, sqs = yard.client("lambda"), yard.client("sqs")
    mapping = client.create_event_source_mapping(
        FunctionName="reads", EventSourceArn=source_arn, BatchSize=5, FunctionResponseTypes=["ReportBatchItemFailures"]
    )
    assert mapping["State"] == "Creating"
    for body in ("one", "hard", "two"):
        sqs.send_message(QueueUrl=source, MessageBody=body)
    bodies: set[str] = set()

    def arrived() -> bool:
        bodies.update(message["Body"] for message in messages_of(yard, done))
        return bodies == {"one", "two", "hard"}

    eventually(arrived, 30)
    counts = sqs.get_queue_attributes(QueueUrl=source, AttributeNames=["All"])["Attributes"]
    eventually(lambda: counts["ApproximateNumberOfMessages"] == "0")
    listed = client.list_event_source_mappings(FunctionName="reads")["EventSourceMappings"]
    assert [each["UUID"] for each in listed] == [mapping["UUID"]]
    client.delete_event_source_mapping(UUID=mapping["UUID"])
    assert client.list_event_source_mappings(FunctionName="reads")["EventSourceMappings"] == []


@both_databases
def test_approval_of_a_version_starts_a_function(yard: RunningYard, runs_as: str):
    """A rule on the approval of a model package invokes a function, which describes the version and tells a queue; without the
    function's permission for the rule nothing is invoked."""
    deployed, _ = queue(yard, "function-deployed")
    code = (
        "import boto3, json\n"
        "def handler(event, context):\n"
        "    arn = event['detail']['ModelPackageArn']\n"
        "    version = boto3.client('sagemaker').describe_model_package(ModelPackageName=arn)\n"
        "    told = {'arn': arn, 'status': version['ModelApprovalStatus']}\n"
        f"    boto3.client('sqs').send_message(QueueUrl='{deployed}', MessageBody=json.dumps(told))\n"
    )
    arn = create(yard, "deploys", runs_as, code, Timeout=30)
    events, sagemaker = yard.client("events"), yard.client("sagemaker")
    pattern = {
        "source": ["aws.sagemaker"],
        "detail-type": ["SageMaker Model Package State Change"],
        "detail": {"ModelPackageGroupName": ["deployed-on-approval"], "ModelApprovalStatus": ["Approved"]},
    }
    rule = events.put_rule(Name="deploy-approved", EventPattern=json.dumps(pattern))["RuleArn"]
    events.put_targets(Rule="deploy-approved", Targets=[{"Id": "function", "Arn": arn}])
    yard.client("lambda").add_permission(
        FunctionName="deploys",
        StatementId="rule",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=rule,
        SourceAccount=ACCOUNT,
    )
    sagemaker.create_model_package_group(ModelPackageGroupName="deployed-on-approval")
    package = sagemaker.create_model_package(
        ModelPackageGroupName="deployed-on-approval", ModelApprovalStatus="PendingManualApproval"
    )["ModelPackageArn"]
    sagemaker.update_model_package(ModelPackageArn=package, ModelApprovalStatus="Approved")
    told = json.loads(eventually(lambda: messages_of(yard, deployed))[0]["Body"])
    assert told == {"arn": package, "status": "Approved"}
    assert messages_of(yard, deployed) == []


def test_object_in_a_bucket_starts_a_function(yard: RunningYard, runs_as: str):
    """A rule on `Object Created` hands a function the object, which it reads and answers with another one."""
    code = (
        "import boto3\ns3 = boto3.client('s3')\n"
        "def handler(event, context):\n"
        "    detail = event['detail']\n"
        "    bucket, key = detail['bucket']['name'], detail['object']['key']\n"
        "    body = s3.get_object(Bucket=bucket, Key=key)['Body'].read()\n"
        "    s3.put_object(Bucket=bucket, Key=f'seen/{key}', Body=body.upper())\n"
    )
    arn = create(yard, "sees", runs_as, code, Timeout=30)
    s3, events = yard.client("s3"), yard.client("events")
    s3.create_bucket(Bucket="functions-inbox")
    s3.put_bucket_notification_configuration(Bucket="functions-inbox", NotificationConfiguration={"EventBridgeConfiguration": {}})
    pattern = {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": ["functions-inbox"]}, "object": {"key": [{"prefix": "in/"}]}},
    }
    rule = events.put_rule(Name="inbox", EventPattern=json.dumps(pattern))["RuleArn"]
    events.put_targets(Rule="inbox", Targets=[{"Id": "function", "Arn": arn}])
    yard.client("lambda").add_permission(
        FunctionName="sees", StatementId="rule", Action="lambda:InvokeFunction", Principal="events.amazonaws.com", SourceArn=rule
    )
    s3.put_object(Bucket="functions-inbox", Key="in/data.csv", Body=b"a,b")

    def seen() -> bytes:
        try:
            return bytes(s3.get_object(Bucket="functions-inbox", Key="seen/in/data.csv")["Body"].read())
        except s3.exceptions.NoSuchKey:
            return b""

    assert eventually(seen) == b"A,B"


@both_databases
def test_schedule_invokes_a_function(yard: RunningYard, runs_as: str):
    """A schedule for one moment invokes its function with the given input, as the schedule's role."""
    told, _ = queue(yard, "function-scheduled")
    code = (
        "import boto3, json\n"
        "def handler(event, context):\n"
        f"    boto3.client('sqs').send_message(QueueUrl='{told}', MessageBody=json.dumps(event))\n"
    )
    arn = create(yard, "scheduled", runs_as, code)
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "scheduler.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }
    allow = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": arn}
    iam = yard.client("iam")
    caller = iam.create_role(RoleName="schedules", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    iam.put_role_policy(RoleName="schedules", PolicyName="invokes", PolicyDocument=policy)
    moment = time.strftime("at(%Y-%m-%dT%H:%M:%S)", time.gmtime(time.time() + 5))
    yard.client("scheduler").create_schedule(
        Name="once",
        ScheduleExpression=moment,
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": arn, "RoleArn": caller, "Input": '{"nightly": true}'},
    )
    assert json.loads(eventually(lambda: messages_of(yard, told))[0]["Body"]) == {"nightly": True}


@pytest.mark.ours
def test_function_reaches_nothing_of_the_server_but_its_operations(yard: RunningYard, runs_as: str):
    """From within a function the server's metrics are closed, other addresses are not reached, and the data directory is not
    there."""
    code = (
        "import os, urllib.request, urllib.error\n"
        "def handler(event, context):\n"
        "    try:\n"
        "        urllib.request.urlopen(os.environ['AWS_ENDPOINT_URL'] + '/_modelyard/metrics')\n"
        "        metrics = 'open'\n"
        "    except urllib.error.HTTPError as error:\n"
        "        metrics = error.code\n"
        "    try:\n"
        "        urllib.request.urlopen(event['endpoint'], timeout=2)\n"
        "        outside = 'reached'\n"
        "    except OSError:\n"
        "        outside = 'not reached'\n"
        "    return [metrics, outside, os.path.exists(event['data'])]\n"
    )
    create(yard, "curious", runs_as, code, Timeout=30)
    assert invoke(yard, "curious", {"endpoint": yard.endpoint, "data": str(yard.data)})[0] == [403, "not reached", False]


@pytest.mark.ours
def test_function_cannot_use_up_the_servers_connections(yard: RunningYard, runs_as: str):
    """Of hundreds of connections that a function opens and holds, to the server and to its Runtime API, few stay open; others are
    served all the while, and the function itself goes on."""
    code = (
        "import socket, time\n"
        "def handler(event, context):\n"
        "    kept = []\n"
        "    for port in (9100, 9001):\n"
        "        for _ in range(300):\n"
        "            kept.append(socket.create_connection(('127.0.0.1', port)))\n"
        "    time.sleep(1)\n"
        "    still = 0\n"
        "    for one in kept:\n"
        "        one.setblocking(False)\n"
        "        try:\n"
        "            one.recv(1)\n"
        "        except BlockingIOError:\n"
        "            still += 1\n"
        "        except OSError:\n"
        "            pass\n"
        "    return still\n"
    )
    create(yard, "greedy", runs_as, code, Timeout=30)
    assert invoke(yard, "greedy")[0] <= 64 + 16
    assert invoke(yard, "greedy")[0] <= 64 + 16
