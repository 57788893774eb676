"""What a person does with a server to have requests answered later, into S3."""

import json
import zlib
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError
from tests.endpoints import Deployer, eventually
from tests.running import ACCOUNT


class Asynchronous(Deployer):
    """Somebody who deploys asynchronous endpoints."""

    def asynchronous(self, serve: str, output: dict[str, Any] | None = None, most: int = 2, **more: Any) -> str:
        """An asynchronous endpoint of a program; its name."""
        role = self.role("role", "s3:*", "kms:*", "logs:*", "sns:Publish")
        self.model("async", serve, ExecutionRoleArn=role)
        places = {"S3OutputPath": f"s3://{self.bucket}/out/", "S3FailurePath": f"s3://{self.bucket}/failed"}
        config = {
            "ClientConfig": {"MaxConcurrentInvocationsPerInstance": most},
            "OutputConfig": {**places, **(output or {})},
        }
        name = self.config("async", AsyncInferenceConfig=config)
        self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name, **more)
        self.settled(name)
        return name

    def told(self) -> tuple[str, Callable[[], dict[str, Any] | None]]:
        """A topic, and what it was told next, if it was told anything."""
        topic: str = self.yard.client("sns").create_topic(Name=self.named("results"))["TopicArn"]
        sqs, arn = self.yard.client("sqs"), f"arn:aws:sqs:us-east-1:{ACCOUNT}:{self.named('results')}"
        statement = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:*", "Resource": arn}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        url = sqs.create_queue(QueueName=self.named("results"), Attributes={"Policy": policy})["QueueUrl"]
        self.yard.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)

        def read() -> dict[str, Any] | None:
            found = sqs.receive_message(QueueUrl=url).get("Messages")
            if not found:
                return None
            sqs.delete_message(QueueUrl=url, ReceiptHandle=found[0]["ReceiptHandle"])
            told: dict[str, Any] = json.loads(json.loads(found[0]["Body"])["Message"])
            return told

        return topic, read

    def ask(self, endpoint: str, body: bytes, **more: Any) -> dict[str, Any]:
        """What is answered at once."""
        key = f"in/{zlib.crc32(body):x}"
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body, ContentType="text/x-question")
        location = f"s3://{self.bucket}/{key}"
        answer: dict[str, Any] = self.runtime.invoke_endpoint_async(EndpointName=endpoint, InputLocation=location, **more)
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 202
        return answer

    def found(self, uri: str) -> dict[str, Any] | None:
        """An object, if it is there."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        try:
            answer: dict[str, Any] = self.s3.get_object(Bucket=bucket, Key=key)
        except ClientError as error:
            assert error.response["Error"]["Code"] == "NoSuchKey"
            return None
        return {**answer, "Body": answer["Body"].read()}

    def result(self, uri: str) -> dict[str, Any]:
        """An object, once it is there."""
        found: dict[str, Any] = eventually(lambda: self.found(uri))
        return found
