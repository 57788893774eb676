"""Something of everything in a server, so that made-up requests meet what exists; made again when a request removed it."""

import base64
import hashlib
import json
import time
from typing import Any

from tests.endpoints import IMAGE, packed, program
from tests.functions import TRUST as FUNCTION_TRUST
from tests.functions import zipped
from tests.fuzz.wire import Wire

ANYTHING = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}'
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "sts:AssumeRole"}],
    }
)
ARN = "arn:aws:sagemaker:us-east-1:111122223333:"
SPECIFICATION = {
    "Containers": [{"Image": "image", "ModelDataUrl": "s3://fuzz-bucket/model.tar.gz"}],
    "SupportedContentTypes": ["text/csv"],
    "SupportedResponseMIMETypes": ["text/csv"],
}
CARD = json.dumps({"model_overview": {"model_name": "fuzz"}})
QUEUES = "http://127.0.0.1:9100/111122223333/"
TOPIC = "arn:aws:sns:us-east-1:111122223333:fuzz-topic"
LOG_GROUP = "arn:aws:logs:us-east-1:111122223333:log-group:/fuzz"
ALARM = "arn:aws:cloudwatch:us-east-1:111122223333:alarm:fuzz-alarm"
FORM = {"content-type": "application/x-www-form-urlencoded"}
SCALED = {
    "ServiceNamespace": "sagemaker",
    "ResourceId": "endpoint/fuzz-serving/variant/v",
    "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
}
THERE = (b"already", b"does not exist", b"NoSuchBucketPolicy")
"""What is in the answers when something is there, or is not, as it should be."""


REPOSITORY = "arn:aws:ecr:us-east-1:111122223333:repository/fuzz-repository"
REPOSITORY_POLICY = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "ecr:BatchGetImage"}]}
)
INDEX = '{"schemaVersion": 2, "manifests": []}'
INDEX_DIGEST = f"sha256:{hashlib.sha256(INDEX.encode()).hexdigest()}"


class Seeds:
    """Knows the names of what exists."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._upload = "none"
        self.version = ""
        self._artifact = f"{ARN}artifact/{'0' * 32}"
        self._receipt = "none"
        self._key = "none"
        self._alias = "alias/fuzz"
        self._ciphertext = b""
        self._grant = {"GrantId": "none", "GrantToken": "none"}
        self._target = "none"
        self._layer_upload = "00000000-0000-0000-0000-000000000000"

    def sow(self, service: str) -> None:
        """Make sure that there is something of everything."""
        getattr(self, f"_sow_{service.replace('sagemaker-', '').replace('-', '_')}", lambda: None)()

    def known(self) -> dict[str, list[Any]]:
        """Values by the names of members."""
        version = self.version or f"{ARN}model-package/fuzz-group/1"
        arns = [f"{ARN}model-package-group/fuzz-group", version, f"{ARN}model-card/fuzz-card"]
        hosted = [f"{ARN}model/fuzz-model", f"{ARN}endpoint-config/fuzz-config", f"{ARN}endpoint/fuzz-serving"]
        hosted.append(f"{ARN}inference-component/fuzz-component")
        documents = [ANYTHING, TRUST]
        entities = [self._artifact, f"{ARN}action/fuzz-action", f"{ARN}context/fuzz-context"]
        return {
            "ModelPackageGroupName": ["fuzz-group", "FUZZ-group", f"{ARN}model-package-group/fuzz-group"],
            "ModelPackageName": [version, f"{ARN}model-package/fuzz-alone", "fuzz-alone"],
            "ModelPackageArn": [version],
            "ModelPackageArnList": [version],
            "ModelName": ["fuzz-model", "fuzz-transforming"],
            "EndpointConfigName": ["fuzz-config", "fuzz-serving"],
            "EndpointName": ["fuzz-serving", "fuzz-host"],
            "InferenceComponentName": ["fuzz-component"],
            "VariantName": ["v"],
            "TransformJobName": ["fuzz-transform"],
            "S3Uri": ["s3://fuzz-bucket/in/"],
            "S3OutputPath": ["s3://fuzz-bucket/out/"],
            "InputFilter": ["$", "$[0:3]", "$['a','b']"],
            "OutputFilter": ["$", "$[1:]"],
            "TargetVariant": ["v"],
            "ExecutionRoleArn": ["arn:aws:iam::111122223333:role/ModelyardExecutionRole"],
            "ModelCardName": ["fuzz-card", f"{ARN}model-card/fuzz-card"],
            "Content": [CARD],
            "ModelCardContent": [CARD],
            "ArtifactArn": [self._artifact],
            "ActionName": ["fuzz-action"],
            "ContextName": ["fuzz-context"],
            "SourceArn": entities,
            "DestinationArn": entities,
            "StartArns": entities,
            "LineageGroupName": ["sagemaker-default-lineage-group"],
            "ResourceArn": [*arns, *entities, *hosted],
            "SourceUri": [version, f"{ARN}model-package/fuzz-alone", hosted[0]],
            "ResourcePolicy": [ANYTHING.replace('"Action"', '"Principal": "*", "Action"').replace('"*"}]', f'"{arns[0]}"}}]')],
            "Resource": ["ModelPackage", "ModelPackageGroup", "ModelCard"],
            "Name": ["ModelPackageGroupName", "ModelApprovalStatus", "ModelPackageVersion", "CreationTime", "Tags.team"],
            "Bucket": ["fuzz-bucket", "fuzz-versions"],
            "Key": ["object", "a/b"],
            "VersionId": ["null"],
            "UploadId": [self._upload],
            "PartNumber": [1],
            "CopySource": ["fuzz-bucket/object", "/fuzz-versions/object?versionId=null"],
            "UserName": ["fuzz-user"],
            "RoleName": ["fuzz-role"],
            "RoleArn": ["arn:aws:iam::111122223333:role/fuzz-role"],
            "PolicyName": ["fuzz-policy"],
            "PolicyArn": ["arn:aws:iam::111122223333:policy/fuzz-policy", "arn:aws:iam::aws:policy/AdministratorAccess"],
            "PolicySourceArn": ["arn:aws:iam::111122223333:role/fuzz-role", "arn:aws:iam::111122223333:user/fuzz-user"],
            "PermissionsBoundary": ["arn:aws:iam::111122223333:policy/fuzz-policy"],
            "PolicyDocument": documents,
            "AssumeRolePolicyDocument": documents,
            "Policy": documents,
            "VersionID": ["v1"],
            "QueueUrl": [f"{QUEUES}fuzz-queue", f"{QUEUES}fuzz.fifo"],
            "QueueName": ["fuzz-queue", "fuzz.fifo"],
            "TopicArn": [TOPIC],
            "TargetArn": [TOPIC],
            "Protocol": ["sqs"],
            "Endpoint": ["arn:aws:sqs:us-east-1:111122223333:fuzz-queue"],
            "ReceiptHandle": [self._receipt],
            "WaitTimeSeconds": [0],
            "MaxNumberOfMessages": [1, 10],
            "VisibilityTimeout": [0, 30],
            "MessageGroupId": ["g"],
            "DataType": ["String", "Number", "Binary.png"],
            "logGroupName": ["/fuzz"],
            "logGroupIdentifier": ["/fuzz", LOG_GROUP],
            "logStreamName": ["stream"],
            "logStreamNames": ["stream"],
            "filterPattern": ["ERROR -x", '{ $.a[0].b = "x*" && ($.c > 1 || $.d NOT EXISTS) }'],
            "KeyId": [self._key, self._key.rpartition("/")[2], self._alias, "alias/aws/s3"],
            "SourceKeyId": [self._key, self._alias],
            "DestinationKeyId": [self._key, "alias/aws/s3"],
            "TargetKeyId": [self._key],
            "AliasName": [self._alias],
            "CiphertextBlob": [self._ciphertext],
            "GrantId": [self._grant["GrantId"]],
            "GrantToken": [self._grant["GrantToken"]],
            "GranteePrincipal": ["111122223333", "arn:aws:iam::111122223333:user/fuzz-user"],
            "RetiringPrincipal": ["arn:aws:iam::111122223333:root"],
            "repositoryName": ["fuzz-repository"],
            "registryId": ["111122223333"],
            "imageTag": ["latest"],
            "imageDigest": [INDEX_DIGEST],
            "imageManifest": [INDEX],
            "layerDigest": [INDEX_DIGEST],
            "uploadId": [self._layer_upload],
            "partFirstByte": [0],
            "partLastByte": [0],
            "policyText": [REPOSITORY_POLICY, "{}"],
            "resourceArn": [REPOSITORY, LOG_GROUP],
            "retentionInDays": [1, 3653],
            "FunctionName": ["fuzz-function"],
            "EventSourceArn": ["arn:aws:sqs:us-east-1:111122223333:fuzz-queue"],
            "Qualifier": ["$LATEST"],
            "Role": ["arn:aws:iam::111122223333:role/fuzz-function-role"],
            "Runtime": ["python3.11"],
            "ZipFile": [zipped()],
            "InvocationType": ["DryRun", "Event"],
            "AlarmName": ["fuzz-alarm"],
            "AlarmNames": ["fuzz-alarm"],
            "ResourceARN": [ALARM, self._target],
            "ServiceNamespace": ["sagemaker"],
            "ResourceId": [SCALED["ResourceId"]],
            "ResourceIds": [SCALED["ResourceId"]],
            "ScalableDimension": [SCALED["ScalableDimension"]],
            "MinCapacity": [1],
            "MaxCapacity": [1, 2],
            "ScheduledActionName": ["fuzz-action"],
            "Schedule": ["rate(1 hour)", "cron(0 9 * * ? *)", "at(2099-01-01T00:00:00)"],
            "Timezone": ["Europe/Rome"],
            "PredefinedMetricType": ["SageMakerVariantInvocationsPerInstance"],
            "Namespace": ["Fuzz"],
            "MetricName": ["Latency"],
            "Id": ["m1", "e1"],
            "Stat": ["Sum", "p99.9", "TM(10%:90%)"],
            "ExtendedStatistic": ["p90"],
            "ExtendedStatistics": ["p90", "IQM"],
            "Expression": ["m1 * 2", "FILL(METRICS(), LINEAR)", "IF(m1 > 1, RATE(m1))", "SUM([m1, e1])"],
            "Period": [60, 10, 3600],
            "StorageResolution": [1, 60],
            "ComparisonOperator": ["GreaterThanThreshold"],
            "TreatMissingData": ["breaching", "missing"],
        }

    def _make(self, service: str, operation: str, **parameters: Any) -> bytes:
        """Make something, or find that it is there."""
        answer = self._wire.call(service, operation, parameters)
        assert answer.status < 300 or any(word in answer.body for word in THERE), answer
        return answer.body

    def _sow_sagemaker(self) -> None:
        self._make(
            "sagemaker", "CreateModelPackageGroup", ModelPackageGroupName="fuzz-group", Tags=[{"Key": "team", "Value": "a"}]
        )
        for rules in ("DeleteApprovalRules", "DeleteMetadataContract"):
            # Made-up ones would keep everything from being registered.
            self._wire.call("modelyard", rules, {"ModelPackageGroupName": "fuzz-group"})
        if not self.version or b"ModelPackageArn" not in self._make(
            "sagemaker", "DescribeModelPackage", ModelPackageName=self.version
        ):
            made = self._make(
                "sagemaker", "CreateModelPackage", ModelPackageGroupName="fuzz-group", InferenceSpecification=SPECIFICATION
            )
            self.version = json.loads(made)["ModelPackageArn"]
        self._make("sagemaker", "CreateModelPackage", ModelPackageName="fuzz-alone", InferenceSpecification=SPECIFICATION)
        self._make("sagemaker", "CreateModelCard", ModelCardName="fuzz-card", Content=CARD, ModelCardStatus="Draft")
        self._sow_hosting()
        self._sow_lineage()

    def _sow_modelyard(self) -> None:
        self._sow_sagemaker()

    def _sow_hosting(self) -> None:
        self._make("s3", "CreateBucket", Bucket="fuzz-bucket")
        self._make("s3", "DeleteBucketPolicy", Bucket="fuzz-bucket")
        self._make("s3", "PutObject", Bucket="fuzz-bucket", Key="model.tar.gz", Body=b"model")
        self._make("sagemaker", "CreateModel", ModelName="fuzz-model", PrimaryContainer={"ModelPackageName": "fuzz-alone"})
        variant = {"VariantName": "v", "ModelName": "fuzz-model", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
        self._make("sagemaker", "CreateEndpointConfig", EndpointConfigName="fuzz-config", ProductionVariants=[variant])
        self._make("s3", "CreateBucket", Bucket="fuzz-bucket")
        self._make("s3", "PutObject", Bucket="fuzz-bucket", Key="serve.tar.gz", Body=packed(serve=program()))
        container = {"Image": IMAGE, "ModelDataUrl": "s3://fuzz-bucket/serve.tar.gz"}
        self._make("sagemaker", "CreateModel", ModelName="fuzz-serving", PrimaryContainer=container)
        serving = {**variant, "ModelName": "fuzz-serving"}
        self._make("sagemaker", "CreateEndpointConfig", EndpointConfigName="fuzz-serving", ProductionVariants=[serving])
        self._make("sagemaker", "CreateEndpoint", EndpointName="fuzz-serving", EndpointConfigName="fuzz-serving")
        self._sow_component(variant)
        self._sow_transform()
        self._rest("ListEndpoints")

    def _sow_component(self, variant: dict[str, Any]) -> None:
        host = {name: value for name, value in variant.items() if name != "ModelName"}
        role = "arn:aws:iam::111122223333:role/ModelyardExecutionRole"
        self._make(
            "sagemaker",
            "CreateEndpointConfig",
            EndpointConfigName="fuzz-host",
            ProductionVariants=[host],
            ExecutionRoleArn=role,
        )
        self._make("sagemaker", "CreateEndpoint", EndpointName="fuzz-host", EndpointConfigName="fuzz-host")
        self._rest("ListEndpoints")
        # So large that there is room for two copies.
        needs = {"ModelName": "fuzz-serving", "ComputeResourceRequirements": {"MinMemoryRequiredInMb": 2000}}
        self._make(
            "sagemaker",
            "CreateInferenceComponent",
            InferenceComponentName="fuzz-component",
            EndpointName="fuzz-host",
            VariantName="v",
            Specification=needs,
            RuntimeConfig={"CopyCount": 1},
        )
        self._rest("ListInferenceComponents")

    def _rest(self, listed: str) -> None:
        """What is in progress writes by itself, which would look like what a refused request wrote."""
        deadline = time.monotonic() + 30
        while any(word in self._make("sagemaker", listed) for word in (b"Creating", b"Updating", b"Deleting")):
            assert time.monotonic() < deadline, "something of hosting does not come to rest"
            time.sleep(0.05)

    def _sow_transform(self) -> None:
        """A job that has ended, and others that made-up requests began: those end, too."""
        self._make("s3", "PutObject", Bucket="fuzz-bucket", Key="in/one", Body=b"1")
        container = {"Image": IMAGE, "ModelDataUrl": "s3://fuzz-bucket/serve.tar.gz"}
        role = "arn:aws:iam::111122223333:role/ModelyardExecutionRole"
        model = {"ModelName": "fuzz-transforming", "PrimaryContainer": container, "ExecutionRoleArn": role}
        self._make("sagemaker", "CreateModel", **model)
        answer = self._wire.call(
            "sagemaker",
            "CreateTransformJob",
            {
                "TransformJobName": "fuzz-transform",
                "ModelName": "fuzz-transforming",
                "TransformInput": {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://fuzz-bucket/in/"}}},
                "TransformOutput": {"S3OutputPath": "s3://fuzz-bucket/out/"},
                "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
            },
        )
        assert answer.status < 300 or b"must be unique" in answer.body, answer
        deadline = time.monotonic() + 60
        while any(word in self._make("sagemaker", "ListTransformJobs") for word in (b"InProgress", b"Stopping")):
            assert time.monotonic() < deadline, "a transform job does not end"
            time.sleep(0.05)

    # botocore's names of services have hyphens, which names of methods cannot have.
    def _sow_runtime(self) -> None:
        self._sow_sagemaker()

    def _sow_lineage(self) -> None:
        source = {"SourceUri": "s3://fuzz-bucket/model.tar.gz"}
        found = json.loads(self._make("sagemaker", "ListArtifacts", **source))["ArtifactSummaries"]
        if not found:
            found = [json.loads(self._make("sagemaker", "CreateArtifact", Source=source, ArtifactType="Model"))]
        self._artifact = found[0]["ArtifactArn"]
        for kind in ("Action", "Context"):
            name = {f"{kind}Name": f"fuzz-{kind.lower()}", f"{kind}Type": "Fuzz"}
            self._make("sagemaker", f"Create{kind}", Source=source, **name)
        action = f"{ARN}action/fuzz-action"
        self._make("sagemaker", "AddAssociation", SourceArn=action, DestinationArn=self._artifact)

    def _sow_s3(self) -> None:
        for bucket in ("fuzz-bucket", "fuzz-versions"):
            self._make("s3", "CreateBucket", Bucket=bucket)
            self._make("s3", "DeleteBucketPolicy", Bucket=bucket)
            self._make("s3", "PutObject", Bucket=bucket, Key="object", Body=b"bytes")
        self._make("s3", "PutBucketVersioning", Bucket="fuzz-versions", VersioningConfiguration={"Status": "Enabled"})
        made = self._make("s3", "CreateMultipartUpload", Bucket="fuzz-bucket", Key="object").decode()
        self._upload = made.partition("<UploadId>")[2].partition("<")[0]

    def _sow_iam(self) -> None:
        self._make("iam", "CreateUser", UserName="fuzz-user")
        self._make("iam", "CreateRole", RoleName="fuzz-role", AssumeRolePolicyDocument=TRUST)
        self._make("iam", "CreatePolicy", PolicyName="fuzz-policy", PolicyDocument=ANYTHING)

    def _sow_sts(self) -> None:
        self._sow_iam()

    def _sow_kms(self) -> None:
        grant = {"KeyId": self._alias, "GranteePrincipal": "111122223333", "Operations": ["Decrypt"]}
        if self._wire.call("kms", "CreateGrant", grant).status >= 300:
            # A request disabled the key, let it expire, or gave it a policy that shuts everybody out.
            self._key = json.loads(self._make("kms", "CreateKey"))["KeyMetadata"]["Arn"]
            self._alias = f"alias/fuzz-{self._key[-36:]}"
            self._make("kms", "CreateAlias", AliasName=self._alias, TargetKeyId=self._key)
        described = json.loads(self._make("kms", "DescribeKey", KeyId=self._alias))
        self._key = described["KeyMetadata"]["Arn"]
        sealed = self._wire.call("kms", "Encrypt", {"KeyId": self._alias, "Plaintext": b"x"})
        if sealed.status < 300:
            self._ciphertext = base64.b64decode(json.loads(sealed.body)["CiphertextBlob"])
        made = self._wire.call("kms", "CreateGrant", {**grant, "KeyId": self._alias})
        if made.status < 300:
            self._grant = json.loads(made.body)

    def _sow_ecr(self) -> None:
        self._make("ecr", "CreateRepository", repositoryName="fuzz-repository")
        self._make("ecr", "DeleteRepositoryPolicy", repositoryName="fuzz-repository")
        self._make("ecr", "PutImage", repositoryName="fuzz-repository", imageManifest=INDEX, imageTag="latest")
        begun = json.loads(self._make("ecr", "InitiateLayerUpload", repositoryName="fuzz-repository"))
        self._layer_upload = begun.get("uploadId", self._layer_upload)

    def _sow_sqs(self) -> None:
        self._make("sqs", "CreateQueue", QueueName="fuzz-queue")
        fifo = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
        self._make("sqs", "CreateQueue", QueueName="fuzz.fifo", Attributes=fifo)
        self._make("sqs", "SendMessage", QueueUrl=f"{QUEUES}fuzz.fifo", MessageBody="x", MessageGroupId="g")
        attributes = {"a": {"DataType": "Binary", "BinaryValue": b"\x00"}}
        for body in ("received", "waiting"):
            self._make("sqs", "SendMessage", QueueUrl=f"{QUEUES}fuzz-queue", MessageBody=body, MessageAttributes=attributes)
        received = json.loads(self._make("sqs", "ReceiveMessage", QueueUrl=f"{QUEUES}fuzz-queue"))
        for message in received.get("Messages", []):
            self._receipt = message["ReceiptHandle"]

    def _sow_sns(self) -> None:
        self._sow_sqs()
        self._make("sns", "CreateTopic", Name="fuzz-topic")
        subscriber = "arn:aws:sqs:us-east-1:111122223333:fuzz-queue"
        self._make("sns", "Subscribe", TopicArn=TOPIC, Protocol="sqs", Endpoint=subscriber)

    def _sow_lambda(self) -> None:
        self._sow_sqs()
        role = "arn:aws:iam::111122223333:role/fuzz-function-role"
        self._make("iam", "CreateRole", RoleName="fuzz-function-role", AssumeRolePolicyDocument=FUNCTION_TRUST)
        settings = {"Runtime": "python3.11", "Handler": "app.handler", "Role": role, "Code": {"ZipFile": zipped()}}
        self._make("lambda", "CreateFunction", FunctionName="fuzz-function", **settings)

    def _sow_logs(self) -> None:
        self._make("logs", "CreateLogGroup", logGroupName="/fuzz")
        named = {"logGroupName": "/fuzz", "logStreamName": "stream"}
        self._make("logs", "CreateLogStream", **named)
        events = [{"timestamp": round(time.time() * 1000), "message": text} for text in ("ERROR", '{"a": [{"b": "xy"}]}')]
        self._make("logs", "PutLogEvents", **named, logEvents=events)

    def _sow_cloudwatch(self) -> None:
        data = [{"MetricName": "Latency", "Value": number, "StorageResolution": 1} for number in range(3)]
        self._make("cloudwatch", "PutMetricData", Namespace="Fuzz", MetricData=data)
        rule = {"EvaluationPeriods": 1, "Threshold": 1.0, "ComparisonOperator": "GreaterThanThreshold"}
        metric = {"Namespace": "Fuzz", "MetricName": "Latency", "Statistic": "Sum", "Period": 60}
        self._make("cloudwatch", "PutMetricAlarm", AlarmName="fuzz-alarm", **metric, **rule)

    def _sow_application_autoscaling(self) -> None:
        self._sow_sagemaker()
        # Whatever bounds were made up, from now on there is one instance again.
        made = self._make("application-autoscaling", "RegisterScalableTarget", **SCALED, MinCapacity=1, MaxCapacity=1)
        self._target = json.loads(made)["ScalableTargetARN"]
        steps = {
            "AdjustmentType": "ChangeInCapacity",
            "StepAdjustments": [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1}],
        }
        self._make(
            "application-autoscaling",
            "PutScalingPolicy",
            **SCALED,
            PolicyName="fuzz-policy",
            StepScalingPolicyConfiguration=steps,
        )
        action = {"ScheduledActionName": "fuzz-action", "Schedule": "rate(1 hour)", "ScalableTargetAction": {"MaxCapacity": 1}}
        self._make("application-autoscaling", "PutScheduledAction", **SCALED, **action)
