"""What happens in the demo, step by step. Every sentence that can be checked is checked."""

import hashlib
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from modelyard.cli.credentials import Credentials
from modelyard.cli.demo import people, training
from modelyard.cli.demo.governance import Governance
from modelyard.cli.demo.narration import Mismatch, Narrator, as_typed
from modelyard.cli.demo.reaction import Reaction
from modelyard.cli.demo.serving import Serving
from modelyard.cli.demo.training import Candidate, Screening
from modelyard.cli.demo.yard import Yard, beside_python

GROUP = "clinic-tumour-screening"
IMAGE = "modelyard/program:1"
"""Runs the program that a model brings along on the Python of the server, so that nothing has to be built for the demo."""


@dataclass
class Story:
    """The demo while it is told."""

    yard: Yard
    tell: Narrator
    keys: dict[str, Credentials] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    """The ARN that each candidate was registered under."""

    @property
    def bucket(self) -> str:
        """The bucket that the models lie in, named as the SageMaker SDK names its default one."""
        return f"sagemaker-{self.yard.region}-{self.yard.account}"

    def client(self, service: str, who: str) -> Any:
        """A boto3 client that signs with this person's key."""
        return self.yard.client(service, self.keys[who])

    def run(self) -> None:
        """Tell all of it. Raises Mismatch when something is not as claimed."""
        governance, reaction = Governance(self, GROUP), Reaction(self, GROUP)
        self.meet_the_people()
        data, candidates = self.train()
        self.upload(candidates)
        governance.lay_down_rules()
        governance.refuse_what_tells_too_little(self.registration(candidates[0]))
        self.register(candidates)
        self.list_versions()
        self.try_to_approve()
        governance.refuse_the_registrant()
        reaction.prepare()
        self.review(candidates, governance)
        better = max(candidates, key=lambda candidate: candidate.recall)
        reaction.show(self.versions[better.name])
        governance.tamper(f"{better.name}/model.tar.gz")
        self.fetch(data, better)
        Serving(self, data).tell(better, lambda: self.register_next(data))
        governance.audit()

    def meet_the_people(self) -> None:
        """Make three users with a policy each."""
        self.tell.step("Three people, three keys, each allowed its own work only", "administrator")
        iam = self.yard.client("iam", self.yard.administrator)
        self.yard.client("s3", self.yard.administrator).create_bucket(Bucket=self.bucket)
        for name, statements in people.policies(self.yard.region, self.yard.account, GROUP, self.bucket).items():
            self.keys[name] = people.create(iam, name, statements)
        self.tell.call("iam.put_user_policy(UserName='reviewer', PolicyName='reviewer-work', PolicyDocument=...)")
        self.tell.say("Approving is a permission of its own: only the reviewer's policy allows UpdateModelPackage under")
        self.tell.answer('"Condition": {"StringEquals": {"sagemaker:ModelApprovalStatus": ["Approved", "Rejected"]}}')
        who = self.yard.client("sts", self.keys["reviewer"]).get_caller_identity()["Arn"]
        self.tell.holds(f"the reviewer's key is {who}", who.endswith(":user/reviewer"))

    def train(self) -> tuple[Screening, Sequence[Candidate]]:
        """Train the two candidates."""
        self.tell.step("Two models learn to tell malignant tumours from benign ones", "data-scientist")
        data = training.load()
        candidates = training.candidates(data)
        patients = f"{len(data.train)} patients to learn from, {len(data.test)} to be judged by"
        self.tell.say(f"scikit-learn's breast cancer data, {patients}:")
        rows = [(c.description, f"{c.accuracy:.1%}", f"{c.recall:.1%}", f"{len(c.archive):,} bytes") for c in candidates]
        self.tell.table(("model", "accuracy", "malignant found", "model.tar.gz"), rows)
        return data, candidates

    def upload(self, candidates: Sequence[Candidate]) -> None:
        """Put each archive and its metrics into the bucket."""
        self.tell.step("Their bytes go to S3", "data-scientist")
        s3 = self.yard.client("s3", self.keys["data-scientist"])
        for candidate in candidates:
            for name, content in (("model.tar.gz", candidate.archive), ("metrics.json", candidate.metrics_file)):
                key = f"{candidate.name}/{name}"
                s3.put_object(Bucket=self.bucket, Key=key, Body=content)
                self.tell.call(f"s3.put_object(Bucket='{self.bucket}', Key='{key}', Body=...)")

    def register(self, candidates: Sequence[Candidate]) -> None:
        """Register both as versions of the group."""
        self.tell.step("Both are registered, with their metrics, and wait for a review", "data-scientist")
        sagemaker = self.yard.client("sagemaker", self.keys["data-scientist"])
        for number, candidate in enumerate(candidates, start=1):
            arn = sagemaker.create_model_package(**self.registration(candidate))["ModelPackageArn"]
            self.tell.call("sagemaker.create_model_package(ModelApprovalStatus='PendingManualApproval', ...)")
            self.tell.answer({"ModelPackageArn": arn})
            self.tell.holds(f"the {candidate.name} is version {number}", arn.endswith(f":model-package/{GROUP}/{number}"))
            self.versions[candidate.name] = arn

    def registration(self, candidate: Candidate) -> Mapping[str, Any]:
        """A CreateModelPackage request."""
        place = f"s3://{self.bucket}/{candidate.name}"
        statistics = {"ContentType": "application/json", "S3Uri": f"{place}/metrics.json"}
        return {
            "ModelPackageGroupName": GROUP,
            "ModelPackageDescription": candidate.description,
            "ModelApprovalStatus": "PendingManualApproval",
            "InferenceSpecification": {
                "Containers": [{"Image": IMAGE, "ModelDataUrl": f"{place}/model.tar.gz", "Framework": "SKLEARN"}],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
                "SupportedRealtimeInferenceInstanceTypes": ["ml.m5.large"],
            },
            "ModelMetrics": {"ModelQuality": {"Statistics": statistics}},
            "MetadataProperties": {"CommitId": "4f2a91c", "Repository": "git@clinic.example:tumour-screening.git"},
            "CustomerMetadataProperties": {"sha256": candidate.sha256, **candidate.parameters},
        }

    def register_next(self, data: Screening) -> Candidate:
        """Train, upload, register and approve the version that comes next."""
        self.tell.step("The next version is registered and approved", "data-scientist, reviewer")
        following = training.successor(data)
        s3 = self.client("s3", "data-scientist")
        for name, content in (("model.tar.gz", following.archive), ("metrics.json", following.metrics_file)):
            s3.put_object(Bucket=self.bucket, Key=f"{following.name}/{name}", Body=content)
        arn = self.client("sagemaker", "data-scientist").create_model_package(**self.registration(following))["ModelPackageArn"]
        self.versions[following.name] = arn
        self.tell.call("sagemaker.create_model_package(ModelApprovalStatus='PendingManualApproval', ...)")
        self.tell.answer({"ModelPackageArn": arn})
        reason = f"Finds {following.recall:.1%} of the malignant tumours"
        self.tell.call(f"sagemaker.update_model_package(..., ModelApprovalStatus='Approved', ApprovalDescription='{reason}')")
        self.decide("reviewer", following.name, "Approved", reason)
        self.tell.holds("version 3 is approved", arn.endswith("/3") and self.status(following.name) == "Approved")
        return following

    def list_versions(self) -> None:
        """List them with the AWS CLI."""
        self.tell.step("The AWS CLI sees them", "data-scientist")
        table = self._aws(
            "sagemaker", "list-model-packages", "--model-package-group-name", GROUP, "--output", "table", "--query",
            "ModelPackageSummaryList[].[ModelPackageVersion,ModelApprovalStatus,ModelPackageDescription]",
        )  # fmt: skip
        self.tell.holds("two versions wait for a review", table.count("PendingManualApproval") == 2)

    def _aws(self, *arguments: str) -> str:
        """Run the AWS CLI as the data scientist, show the command and its answer."""
        command = beside_python("aws")
        shown = " ".join(f"'{word}'" if "[" in word else word for word in arguments)
        self.tell.call(f"aws {shown}", "bash")
        environment = self.yard.shell(self.keys["data-scientist"])
        done = subprocess.run([command, *arguments], env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Mismatch(f"the AWS CLI answers: it ended with {done.returncode}: {done.stderr.strip()}")
        self.tell.answer(done.stdout)
        return done.stdout

    def try_to_approve(self) -> None:
        """The data scientist may not approve."""
        self.tell.step("Nobody approves their own model", "data-scientist")
        self.tell.call("sagemaker.update_model_package(ModelPackageArn=..., ModelApprovalStatus='Approved')")
        try:
            self.decide("data-scientist", "regression", "Approved", "I am sure")
        except ClientError as error:
            self.tell.refused(str(error))
            self.tell.holds("refused, and with the reason", error.response["Error"]["Code"] == "AccessDeniedException")
        else:
            raise Mismatch("the data scientist's key may not approve")
        status = self.status("regression")
        self.tell.holds(f"the version is still {status}", status == "PendingManualApproval")

    def review(self, candidates: Sequence[Candidate], governance: Governance) -> None:
        """The reviewer reads the metrics, rejects one and approves the other."""
        self.tell.step("The reviewer reads the registered metrics, rejects one model and approves the other", "reviewer")
        worse, better = sorted(candidates, key=lambda candidate: candidate.recall)
        self.tell.holds("the metrics that were registered are the ones that were measured", self._metrics_match(candidates))
        governance.refuse_below_the_gate(worse.name)
        for candidate, status, reason in (
            (worse, "Rejected", f"Misses {1 - worse.recall:.1%} of the malignant tumours"),
            (better, "Approved", f"Finds {better.recall:.1%} of the malignant tumours"),
        ):
            self.tell.call(f"sagemaker.update_model_package(..., ModelApprovalStatus='{status}', ApprovalDescription='{reason}')")
            self.decide("reviewer", candidate.name, status, reason)
            found = self.describe(candidate.name)
            self.tell.answer({name: found[name] for name in ("ModelPackageArn", "ModelApprovalStatus", "ApprovalDescription")})
            self.tell.holds(
                f"the {candidate.name} is {status.lower()}, with the reason on record",
                (found["ModelApprovalStatus"], found["ApprovalDescription"]) == (status, reason),
            )

    def _metrics_match(self, candidates: Sequence[Candidate]) -> bool:
        s3 = self.yard.client("s3", self.keys["reviewer"])
        for candidate in candidates:
            uri = self.describe(candidate.name)["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"]
            if download(s3, uri) != candidate.metrics_file:
                return False
        return True

    def decide(self, who: str, name: str, status: str, reason: str) -> None:
        """Approve or reject a version, as this person."""
        sagemaker = self.yard.client("sagemaker", self.keys[who])
        sagemaker.update_model_package(
            ModelPackageArn=self.versions[name], ModelApprovalStatus=status, ApprovalDescription=reason
        )

    def describe(self, name: str) -> Mapping[str, Any]:
        """What the registry says of a version."""
        sagemaker = self.yard.client("sagemaker", self.keys["reviewer"])
        described: Mapping[str, Any] = sagemaker.describe_model_package(ModelPackageName=self.versions[name])
        return described

    def status(self, name: str) -> str:
        """Whether a version is approved."""
        return str(self.describe(name)["ModelApprovalStatus"])

    def fetch(self, data: Screening, better: Candidate) -> None:
        """The deployer takes the latest approved version, exactly its bytes, and predicts."""
        self.tell.step(
            "The deployer still gets exactly the registered bytes of the latest approved version, and predicts", "deployer"
        )
        sagemaker, registry = self.client("sagemaker", "deployer"), self.client("modelyard-runtime", "deployer")
        found = sagemaker.list_model_packages(
            ModelPackageGroupName=GROUP,
            ModelApprovalStatus="Approved",
            SortBy="CreationTime",
            SortOrder="Descending",
            MaxResults=1,
        )["ModelPackageSummaryList"]
        self.tell.call("sagemaker.list_model_packages(..., ModelApprovalStatus='Approved', SortOrder='Descending', MaxResults=1)")
        arn = found[0]["ModelPackageArn"] if found else "none"
        self.tell.answer({"ModelPackageArn": arn})
        self.tell.holds("it is the one that the reviewer approved", arn == self.versions[better.name])
        described = sagemaker.describe_model_package(ModelPackageName=arn)
        archive = registry.get_registered_artifact(ModelPackageArn=arn)["Body"].read()
        self.tell.call(f"modelyard_runtime.get_registered_artifact(ModelPackageArn='{arn}')")
        digest = hashlib.sha256(archive).hexdigest()
        registered = described["CustomerMetadataProperties"]["sha256"]
        self.tell.answer(f"sha256 trained     {better.sha256}\nsha256 registered  {registered}\nsha256 received    {digest}")
        self.tell.holds("what was received is what was trained, byte for byte", better.sha256 == registered == digest)
        self._predict(archive, data, better)

    def _predict(self, archive: bytes, data: Screening, better: Candidate) -> None:
        labels = training.predict(archive, data.test)
        names = {0: "malignant", 1: "benign"}
        rows = [(patient + 1, names[labels[patient]], names[int(data.test_labels[patient])]) for patient in range(5)]
        self.tell.table(("patient", "predicted", "in fact"), rows)
        right = sum(int(label) == int(truth) for label, truth in zip(labels, data.test_labels, strict=True))
        accuracy = round(right / len(labels), 4)
        self.tell.holds(
            f"{right} of {len(labels)} patients it has never seen are right, as measured", accuracy == better.accuracy
        )

    def what_next(self) -> None:
        """End with what to try next."""
        data, command, aws = (as_typed(path) for path in (self.yard.data, beside_python("modelyard"), beside_python("aws")))
        self.tell.step("Your turn")
        self.tell.say("Everything is still there. Start the server again:")
        self.tell.call(f"{command} serve --data {data}", "bash")
        self.tell.say("and in another shell, use whatever speaks AWS:")
        self.tell.call(f'eval "$({command} env --data {data})"', "bash")
        self.tell.call(f"{aws} sagemaker list-model-package-groups", "bash")
        self.tell.call(f"{aws} sagemaker list-endpoints", "bash")
        self.tell.call(f"{aws} s3 ls --recursive s3://{self.bucket}", "bash")
        self.tell.say("The endpoint is back as soon as the server is.")
        self.tell.say("docs/quickstart.md goes on from here.")


def download(s3: Any, uri: str) -> bytes:
    """The bytes of an `s3://` address."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    content: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    return content
