"""Acting for those who have something scaled: as AWS's service-linked role, which may do what scaling needs and nothing else."""

import json

from modelyard.access.permission import RequestFacts
from modelyard.access.policy import parse_policy
from modelyard.access.principal import Principal, PrincipalKind
from modelyard.dispatch.context import Context
from modelyard.dispatch.dispatcher import Dispatcher

SERVICE = "application-autoscaling.amazonaws.com"
ROLE = "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
_PATH = "aws-service-role/sagemaker.application-autoscaling.amazonaws.com"
_POLICY = parse_policy(
    json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": {
                "Effect": "Allow",
                "Action": [
                    "sagemaker:DescribeEndpoint",
                    "sagemaker:UpdateEndpointWeightsAndCapacities",
                    "sagemaker:DescribeInferenceComponent",
                    "sagemaker:UpdateInferenceComponentRuntimeConfig",
                    "cloudwatch:PutMetricAlarm",
                    "cloudwatch:DescribeAlarms",
                    "cloudwatch:DeleteAlarms",
                    "cloudwatch:GetMetricData",
                ],
                "Resource": "*",
            },
        }
    )
)


def role_arn(account: str) -> str:
    """RoleARN of scalable targets."""
    return f"arn:aws:iam::{account}:role/{_PATH}/{ROLE}"


def principal(account: str) -> Principal:
    """The role in an account."""
    name = f"{ROLE}/scaling"
    return Principal(
        arn=f"arn:aws:sts::{account}:assumed-role/{name}",
        account=account,
        kind=PrincipalKind.ASSUMED_ROLE,
        unique_id=f"AROASCALINGSERVICE:{account}",
        name=name,
        policies=(_POLICY,),
    )


def context_of(dispatcher: Dispatcher, account: str, region: str) -> Context:
    """A context in which calls are those of the role, with no request of anybody's behind it."""
    facts = RequestFacts(
        now=dispatcher.clock.now(),
        region=region,
        source_ip="",
        secure_transport=True,
        user_agent=SERVICE,
        signature_version="",
        source_account=account,
    )
    return Context(
        principal=principal(account),
        facts=facts,
        request_id=dispatcher.ids.request_id(),
        ids=dispatcher.ids,
        storage=dispatcher.storage,
        blobs=dispatcher.blobs,
        settings=dispatcher.settings,
        tokens=dispatcher.tokens,
        dispatcher=dispatcher,
    )
