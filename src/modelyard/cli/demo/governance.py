"""The demo's steps about what is enforced: what a version must bring, who may approve, bytes and a record that stay."""

import json
import sqlite3
import subprocess
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from modelyard.cli.demo.narration import Mismatch, as_typed
from modelyard.cli.demo.yard import beside_python

if TYPE_CHECKING:
    from modelyard.cli.demo.story import Story

RULES = {"ApproverIsNotRegistrant": True, "ReasonRequired": True, "MetricGates": ["recall >= 0.9"]}
CONTRACT = {
    "required": ["MetadataProperties", "ModelMetrics"],
    "properties": {"MetadataProperties": {"required": ["CommitId", "Repository"]}},
}
MISTAKE = "a-permission-too-many"


class Governance:
    """Tells these steps of a story."""

    def __init__(self, story: "Story", group: str) -> None:
        self._story = story
        self._group = group

    def lay_down_rules(self) -> None:
        """Make the group, with approval rules and a metadata contract."""
        tell, yard = self._story.tell, self._story.yard
        tell.step("The clinic says what a version must bring, and when it may be approved", "administrator")
        group = yard.client("sagemaker", yard.administrator).create_model_package_group(
            ModelPackageGroupName=self._group,
            ModelPackageGroupDescription="Is this tumour malignant?",
            Tags=[{"Key": "team", "Value": "clinic"}, {"Key": "project", "Value": "tumour-screening"}],
        )
        tell.call(f"sagemaker.create_model_package_group(ModelPackageGroupName='{self._group}', ...)")
        tell.answer({"ModelPackageGroupArn": group["ModelPackageGroupArn"]})
        extras = yard.client("modelyard", yard.administrator)
        extras.put_approval_rules(ModelPackageGroupName=self._group, Rules=RULES)
        tell.call(f"modelyard.put_approval_rules(ModelPackageGroupName=..., Rules={RULES})")
        extras.put_metadata_contract(ModelPackageGroupName=self._group, Schema=json.dumps(CONTRACT))
        tell.call(f"modelyard.put_metadata_contract(ModelPackageGroupName=..., Schema='{json.dumps(CONTRACT)}')")

    def refuse_what_tells_too_little(self, registration: Mapping[str, Any]) -> None:
        """A registration that leaves out its commit."""
        self._story.tell.step("A version that does not say where it comes from is not registered", "data-scientist")
        sagemaker = self._story.client("sagemaker", "data-scientist")
        silent = {name: value for name, value in registration.items() if name != "MetadataProperties"}
        self._story.tell.call("sagemaker.create_model_package(...)    # without MetadataProperties")
        self._refused(lambda: sagemaker.create_model_package(**silent), "ValidationException", "MetadataProperties is missing")

    def refuse_the_registrant(self) -> None:
        """Even a permission too many does not let the registrant approve."""
        tell, yard = self._story.tell, self._story.yard
        tell.say("Somebody gives the data scientist the permission by mistake. The group's rules stand above it:")
        iam = yard.client("iam", yard.administrator)
        allow = {"Effect": "Allow", "Action": "sagemaker:UpdateModelPackage", "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
        iam.put_user_policy(UserName="data-scientist", PolicyName=MISTAKE, PolicyDocument=document)
        tell.call("sagemaker.update_model_package(ModelPackageArn=..., ModelApprovalStatus='Approved', ...)")
        self._refused(
            lambda: self._story.decide("data-scientist", "regression", "Approved", "I am sure"),
            "AccessDeniedException",
            "ApproverIsNotRegistrant",
        )
        iam.delete_user_policy(UserName="data-scientist", PolicyName=MISTAKE)

    def refuse_below_the_gate(self, name: str) -> None:
        """Figures that are not good enough cannot be approved away."""
        self._story.tell.call(
            "sagemaker.update_model_package(..., ModelApprovalStatus='Approved', ApprovalDescription='why not')"
        )
        self._refused(lambda: self._story.decide("reviewer", name, "Approved", "why not"), "ValidationException", "recall >= 0.9")

    def tamper(self, key: str) -> None:
        """Overwrite and delete a registered artifact, with every permission there is."""
        tell, yard = self._story.tell, self._story.yard
        tell.step("Somebody with every permission overwrites the approved model, and deletes it", "administrator")
        s3 = yard.client("s3", yard.administrator)
        s3.put_object(Bucket=self._story.bucket, Key=key, Body=b"something else")
        tell.call(f"s3.put_object(Bucket='{self._story.bucket}', Key='{key}', Body=b'something else')")
        s3.delete_object(Bucket=self._story.bucket, Key=key)
        tell.call(f"s3.delete_object(Bucket='{self._story.bucket}', Key='{key}')")
        left = s3.list_objects_v2(Bucket=self._story.bucket, Prefix=key)["KeyCount"]
        tell.holds("the object is gone from the bucket", left == 0)

    def audit(self) -> None:
        """Who did what is on record, and the record cannot be edited."""
        tell, yard = self._story.tell, self._story.yard
        tell.step("All of it is on a record that nobody can edit", "administrator")
        group = f"arn:aws:sagemaker:{yard.region}:{yard.account}:model-package/{self._group}"
        events = yard.client("modelyard", yard.administrator).lookup_events(ResourceArn=f"{group}/2")["Events"]
        tell.call(f"modelyard.lookup_events(ResourceArn='{group}/2')")
        rows = [(one["PrincipalArn"].rpartition(":")[2], one["Operation"], one["Outcome"]) for one in reversed(events)]
        tell.table(("who", "what", "how it ended"), rows)
        refusals = [row for row in rows if row == ("user/data-scientist", "UpdateModelPackage", "AccessDeniedException")]
        approved = ("user/reviewer", "UpdateModelPackage", "Success") in rows
        tell.holds("the approval is there, and both refusals before it", approved and len(refusals) == 2)
        statement = "UPDATE audit_record SET document = '{}'"
        tell.call(f'sqlite3 {as_typed(yard.data / "modelyard.db")} "{statement}"', "bash")
        with closing(sqlite3.connect(yard.data / "modelyard.db")) as database:
            try:
                database.execute(statement)
            except sqlite3.Error as error:
                tell.refused(str(error))
            else:
                raise Mismatch("the database lets nobody edit the record")
        command = [str(beside_python("modelyard")), "audit", "verify", "--data", str(yard.data)]
        tell.call(f"{as_typed(beside_python('modelyard'))} audit verify --data {as_typed(yard.data)}", "bash")
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        tell.answer(done.stdout.strip() or done.stderr.strip())
        tell.holds("the chain of records is whole, from the first call to the last", done.returncode == 0)

    def _refused(self, call: Callable[[], object], code: str, words: str) -> None:
        """Run what has to be refused, for this reason. Raises Mismatch."""
        try:
            call()
        except ClientError as error:
            told = error.response["Error"]
            self._story.tell.refused(str(error))
            self._story.tell.holds("refused, and with the reason", told["Code"] == code and words in told["Message"])
        else:
            raise Mismatch(f"this is refused for {words}")
