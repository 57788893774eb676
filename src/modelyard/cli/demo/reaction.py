"""The demo's steps about what an approval starts: a Lambda function that really runs, in a sandbox, as a role of its own."""

import io
import json
import time
import zipfile
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from modelyard.cli.demo.story import Story

NAME = "note-what-to-deploy"
SECONDS = 30
CODE = '''\
import json

import boto3

def handler(event, context):
    """Called with the event of an approval: writes down which version is to be deployed."""
    version = event["detail"]
    print("approved:", version["ModelPackageArn"], "because", version["ApprovalDescription"])
    note = {"deploy": version["ModelPackageArn"], "because": version["ApprovalDescription"]}
    boto3.client("s3").put_object(Bucket="BUCKET", Key="deployments/next.json", Body=json.dumps(note))
'''


class Reaction:
    """Tells these steps of a story."""

    def __init__(self, story: "Story", group: str) -> None:
        self._story = story
        self._group = group

    def prepare(self) -> None:
        """Make the function, its role, and the rule that calls it."""
        tell, yard = self._story.tell, self._story.yard
        tell.step("An approval is to start a function", "administrator")
        function = yard.client("lambda", yard.administrator)
        made = function.create_function(
            FunctionName=NAME,
            Runtime="python3.11",
            Handler="app.handler",
            Timeout=SECONDS,
            Role=self._role(),
            Code={"ZipFile": _zipped(CODE.replace("BUCKET", self._story.bucket))},
        )["FunctionArn"]
        tell.call(f"lambda.create_function(FunctionName='{NAME}', Handler='app.handler', Role=..., Code=...)")
        events = yard.client("events", yard.administrator)
        pattern = {"detail": {"ModelPackageGroupName": [self._group], "ModelApprovalStatus": ["Approved"]}}
        rule = events.put_rule(Name=NAME, EventPattern=json.dumps({"source": ["aws.sagemaker"], **pattern}))["RuleArn"]
        tell.call(f"events.put_rule(Name='{NAME}', EventPattern='{json.dumps(pattern)}')")
        events.put_targets(Rule=NAME, Targets=[{"Id": "function", "Arn": made}])
        tell.call(f"events.put_targets(Rule='{NAME}', Targets=[{{'Id': 'function', 'Arn': '{made}'}}])")
        function.add_permission(
            FunctionName=NAME,
            StatementId="rule",
            Action="lambda:InvokeFunction",
            Principal="events.amazonaws.com",
            SourceArn=rule,
        )
        tell.call(f"lambda.add_permission(FunctionName='{NAME}', Principal='events.amazonaws.com', SourceArn='{rule}', ...)")

    def show(self, arn: str) -> None:
        """What the function did, once it has; it is called soon after the approval."""
        tell, yard = self._story.tell, self._story.yard
        tell.step("The approval has started the function", "administrator")
        note = self._note(yard.client("s3", yard.administrator))
        if not note and (reason := self._why_none_runs(arn)):
            tell.refused(reason)
            tell.say("So no function runs on this machine; the rest of the demo needs none.")
            return
        for line in self._log(yard.client("logs", yard.administrator)):
            tell.answer(line)
        tell.call(f"s3.get_object(Bucket='{self._story.bucket}', Key='deployments/next.json')")
        tell.answer(note)
        tell.holds("it ran, with the event of the approval, and wrote what is to be deployed", note.get("deploy") == arn)

    def _role(self) -> str:
        iam = self._story.yard.client("iam", self._story.yard.administrator)
        trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        arn: str = iam.create_role(RoleName=NAME, AssumeRolePolicyDocument=_document(trust))["Role"]["Arn"]
        notes = f"arn:aws:s3:::{self._story.bucket}/deployments/*"
        iam.put_role_policy(
            RoleName=NAME,
            PolicyName="its-work",
            PolicyDocument=_document(
                {"Effect": "Allow", "Action": "s3:PutObject", "Resource": notes},
                {"Effect": "Allow", "Action": "logs:*", "Resource": "*"},
            ),
        )
        return arn

    def _note(self, s3: Any) -> dict[str, str]:
        """What the function wrote; empty when it does not come."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            try:
                found: dict[str, str] = json.load(s3.get_object(Bucket=self._story.bucket, Key="deployments/next.json")["Body"])
            except ClientError as error:
                if error.response["Error"]["Code"] != "NoSuchKey":
                    raise
                time.sleep(0.1)
            else:
                return found
        return {}

    def _why_none_runs(self, arn: str) -> str:
        """What the server says where the machine lets it make no sandboxes; empty where that is not the reason."""
        function = self._story.yard.client("lambda", self._story.yard.administrator)
        event = {"detail": {"ModelPackageArn": arn, "ApprovalDescription": "asked for once more"}}
        try:
            function.invoke(FunctionName=NAME, Payload=json.dumps(event))
        except ClientError as error:
            return str(error) if "sandbox" in str(error) else ""
        return ""

    def _log(self, logs: Any) -> list[str]:
        """What it printed, and how long it took; its last lines are written when it has ended."""
        deadline = time.monotonic() + SECONDS
        lines: list[str] = []
        while time.monotonic() < deadline and not any(line.startswith("REPORT") for line in lines):
            time.sleep(0.1)
            events = logs.filter_log_events(logGroupName=f"/aws/lambda/{NAME}")["events"]
            lines = [event["message"].strip() for event in events]
        return [line.replace("\t", "  ") for line in lines if line.startswith(("approved:", "REPORT"))]


def _zipped(code: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("app.py", code)
    return content.getvalue()


def _document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
