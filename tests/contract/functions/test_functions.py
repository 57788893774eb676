"""Functions as rows, on both databases: what is kept, listed, refused."""

import io
import json
import zipfile
from typing import Any

import pytest
from tests.contract.functions.conftest import Create
from tests.functions import ECHO, zipped
from tests.harness import ACCOUNT, OTHER_ACCOUNT, Yard, user

from modelyard.aws.errors import AwsError

pytestmark = pytest.mark.documented


def allow(*actions: str) -> str:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_creating_needs_leave_to_pass_the_role(shared_house: Yard):
    """Whoever may create functions but not pass the role is refused, and the audit trail says so."""
    request: dict[str, Any] = {
        "FunctionName": "passed",
        "Role": f"arn:aws:iam::{ACCOUNT}:role/runs",
        "Runtime": "python3.11",
        "Handler": "app.handler",
        "Code": {"ZipFile": zipped()},
    }
    clerk = user(ACCOUNT, "clerk", allow("lambda:*"))
    with pytest.raises(AwsError, match="iam:PassRole"):
        shared_house.call("lambda", "CreateFunction", clerk, **request)
    clerk = user(ACCOUNT, "clerk", allow("lambda:*", "iam:PassRole"))
    assert shared_house.call("lambda", "CreateFunction", clerk, **request)["FunctionName"] == "passed"


def test_a_role_may_trust_lambda_for_one_function_alone(shared_house: Yard, create: Create):
    """Trust under aws:SourceArn and aws:SourceAccount, against confused deputies, is enough for that function and no other."""
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust["Condition"] = {  # type: ignore[assignment]
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
        "ArnEquals": {"aws:SourceArn": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:trusted"},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = shared_house.call("iam", "CreateRole", RoleName="narrow", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    create("trusted", ECHO, Role=role)
    with pytest.raises(AwsError, match="cannot be assumed by Lambda"):
        create("other", ECHO, Role=role)
    create("other", ECHO)
    with pytest.raises(AwsError, match="cannot be assumed by Lambda"):
        shared_house.call("lambda", "UpdateFunctionConfiguration", FunctionName="other", Role=role)
    answer = shared_house.call("lambda", "Invoke", FunctionName="trusted", Payload=b"1")
    assert (answer["Payload"], answer.get("FunctionError")) == (b"1", None)


def test_functions_are_listed_page_by_page(shared_house: Yard, create: Create):
    """Every function comes once, in order of names, whatever the size of a page; ALL lists versions too."""
    for number in range(5):
        create(f"listed-{number}", ECHO)
    shared_house.call("lambda", "PublishVersion", FunctionName="listed-2")

    def pages(**more: Any) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        marker: dict[str, str] = {}
        while True:
            answer = shared_house.call("lambda", "ListFunctions", MaxItems=2, **more, **marker)
            found += [(one["FunctionName"], one["Version"]) for one in answer["Functions"]]
            if "NextMarker" not in answer:
                return [one for one in found if one[0].startswith("listed-")]
            marker = {"Marker": answer["NextMarker"]}

    assert pages() == [(f"listed-{number}", "$LATEST") for number in range(5)]
    assert pages(FunctionVersion="ALL") == [
        ("listed-0", "$LATEST"),
        ("listed-1", "$LATEST"),
        ("listed-2", "$LATEST"),
        ("listed-2", "1"),
        ("listed-3", "$LATEST"),
        ("listed-4", "$LATEST"),
    ]


def test_code_is_kept_once_and_released(shared_house: Yard, create: Create):
    """Two functions with one archive share its bytes, which are let go of when the last of them is deleted."""
    code = "def handler(event, context):\n    return 'shared bytes'\n"
    for name in ("first", "second"):
        create(f"shares-{name}", code)
    digest = shared_house.call("lambda", "GetFunction", FunctionName="shares-first")["Code"]["Location"]

    def released() -> Any:
        with shared_house.house.storage.read() as tx:
            row = tx.one("SELECT released_at FROM blob WHERE digest = :digest", {"digest": digest})
        return None if row is None else row[0]

    shared_house.call("lambda", "DeleteFunction", FunctionName="shares-first")
    assert shared_house.house.blobs.size(digest) == len(zipped(code))
    shared_house.call("lambda", "DeleteFunction", FunctionName="shares-second")
    assert released() is not None


def test_policy_of_a_version_is_its_own(shared_house: Yard, create: Create):
    """A permission for a version lets another account invoke that version and nothing else."""
    arn = create("partly", ECHO)
    shared_house.call("lambda", "PublishVersion", FunctionName="partly")
    shared_house.call(
        "lambda",
        "AddPermission",
        FunctionName="partly",
        Qualifier="1",
        StatementId="them",
        Action="lambda:InvokeFunction",
        Principal=OTHER_ACCOUNT,
    )
    stranger = user(OTHER_ACCOUNT, "stranger")
    invoked = shared_house.call("lambda", "Invoke", stranger, FunctionName=f"{arn}:1", Payload=b"1")
    assert (invoked["Payload"], invoked["ExecutedVersion"]) == (b"1", "1")
    with pytest.raises(AwsError) as refused:
        shared_house.call("lambda", "Invoke", stranger, FunctionName=arn, Payload=b"1")
    assert refused.value.code == "AccessDeniedException"


def test_malformed_principal_is_refused(shared_house: Yard, create: Create):
    """A permission for nobody that there can be is not kept."""
    create("principled", ECHO)
    with pytest.raises(AwsError) as refused:
        shared_house.call(
            "lambda",
            "AddPermission",
            FunctionName="principled",
            StatementId="nobody",
            Action="lambda:InvokeFunction",
            Principal="somebody",
        )
    assert refused.value.code == "InvalidParameterValueException"


@pytest.mark.parametrize(
    ("attributes", "message"),
    [({"VisibilityTimeout": "1"}, "Queue visibility timeout: 1 seconds is less than Function timeout: 3 seconds"), ({}, None)],
)
def test_mapping_is_checked_against_the_queue(
    shared_house: Yard, create: Create, attributes: dict[str, str], message: str | None
):
    """A queue is mapped once, if its messages stay away for as long as the function may take."""
    name = f"mapped-{len(attributes)}"
    create(name, ECHO)
    shared_house.call("sqs", "CreateQueue", QueueName=name, Attributes=attributes)
    request = {"FunctionName": name, "EventSourceArn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"}
    if message is not None:
        with pytest.raises(AwsError) as refused:
            shared_house.call("lambda", "CreateEventSourceMapping", **request)
        assert refused.value.message == message
        return
    made = shared_house.call("lambda", "CreateEventSourceMapping", **request)
    with pytest.raises(AwsError) as refused:
        shared_house.call("lambda", "CreateEventSourceMapping", **request)
    assert refused.value.code == "ResourceConflictException"
    changed = shared_house.call("lambda", "UpdateEventSourceMapping", UUID=made["UUID"], Enabled=False, BatchSize=3)
    assert (changed["State"], changed["BatchSize"]) == ("Updating", 3)
    assert shared_house.call("lambda", "GetEventSourceMapping", UUID=made["UUID"])["State"] == "Disabled"
    assert shared_house.call("lambda", "DeleteEventSourceMapping", UUID=made["UUID"])["State"] == "Deleting"
    with pytest.raises(AwsError) as refused:
        shared_house.call("lambda", "GetEventSourceMapping", UUID=made["UUID"])
    assert refused.value.status == 404


def test_tags_of_functions(shared_house: Yard, create: Create):
    """Tags come and go, and a condition on them decides."""
    arn = create("tagged", ECHO, Tags={"team": "rc"})
    shared_house.call("lambda", "TagResource", Resource=arn, Tags={"stage": "test"})
    assert shared_house.call("lambda", "ListTags", Resource=arn)["Tags"] == {"stage": "test", "team": "rc"}
    statement = {
        "Effect": "Allow",
        "Action": "lambda:InvokeFunction",
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:ResourceTag/team": "rc"}},
    }
    member = user(ACCOUNT, "member", json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    assert shared_house.call("lambda", "Invoke", member, FunctionName="tagged", Payload=b"1")["Payload"] == b"1"
    shared_house.call("lambda", "UntagResource", Resource=arn, TagKeys=["team"])
    with pytest.raises(AwsError, match="lambda:InvokeFunction"):
        shared_house.call("lambda", "Invoke", member, FunctionName="tagged", Payload=b"1")


@pytest.mark.parametrize("name", ["theirs", "nowhere"])
def test_a_function_of_another_account_cannot_be_mapped(shared_house: Yard, create: Create, name: str):
    """A stranger who may do everything at home cannot have another account's function read a queue; nor learn whether it is."""
    if name == "theirs":
        create(name, ECHO)
    stranger = user(OTHER_ACCOUNT, "bob")
    url = shared_house.call("sqs", "CreateQueue", stranger, QueueName="bait")["QueueUrl"]
    statement = {"Effect": "Allow", "Principal": "*", "Action": "sqs:*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    shared_house.call("sqs", "SetQueueAttributes", stranger, QueueUrl=url, Attributes={"Policy": policy})
    source = f"arn:aws:sqs:us-east-1:{OTHER_ACCOUNT}:bait"
    arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{name}"
    with pytest.raises(AwsError) as refused:
        shared_house.call("lambda", "CreateEventSourceMapping", stranger, FunctionName=arn, EventSourceArn=source)
    assert (refused.value.code, refused.value.message) == ("ResourceNotFoundException", f"Function not found: {arn}")


def test_what_cannot_be_started_takes_no_room(shared_house: Yard, create: Create):
    """Functions whose code does not unpack are refused at once, however many are invoked; others run as before."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("app.py", ECHO * 50)
    content = bytearray(packed.getvalue())
    content[36:44] = b"\xff" * 8
    create("broken", ECHO, MemorySize=128)
    shared_house.call("lambda", "UpdateFunctionCode", FunctionName="broken", ZipFile=bytes(content))
    for _ in range(8):
        with pytest.raises(AwsError) as refused:
            shared_house.call("lambda", "Invoke", FunctionName="broken")
        assert refused.value.code == "InvalidParameterValueException"
    create("sound", ECHO)
    assert shared_house.call("lambda", "Invoke", FunctionName="sound", Payload=b"1")["Payload"] == b"1"
