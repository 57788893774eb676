"""Who takes part: three people, each with a key that may do their own work and nothing else."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from modelyard.cli.credentials import Credentials

READ_REGISTRY = [
    "sagemaker:DescribeModelPackage",
    "sagemaker:DescribeModelPackageGroup",
    "sagemaker:ListModelPackages",
    "sagemaker:Search",
]

DEPLOY = [
    "sagemaker:*Endpoint",
    "sagemaker:*EndpointConfig",
    "sagemaker:AddTags",
    "sagemaker:CreateModel",
    "sagemaker:DeleteModel",
    "sagemaker:ListEndpoints",
    "modelyard:RollbackEndpoint",
    "modelyard:RestoreEndpoint",
    "modelyard:ListEndpointDeployments",
    "modelyard:ListVersionDeployments",
]


def policies(region: str, account: str, group: str, bucket: str) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """The statements of each person's policy."""
    versions = f"arn:aws:sagemaker:{region}:{account}:model-package/{group}/*"
    groups = f"arn:aws:sagemaker:{region}:{account}:model-package-group/{group}"
    objects = f"arn:aws:s3:::{bucket}/*"
    read = {"Effect": "Allow", "Action": READ_REGISTRY, "Resource": "*"}
    download = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": objects}
    return {
        "data-scientist": [
            read,
            {"Effect": "Allow", "Action": ["s3:PutObject", "s3:GetObject"], "Resource": objects},
            # Versions may be registered, but only as waiting for a review; and changed, but not in their approval.
            {
                "Effect": "Allow",
                "Action": "sagemaker:CreateModelPackage",
                "Resource": [groups, versions],
                "Condition": {"StringEquals": {"sagemaker:ModelApprovalStatus": "PendingManualApproval"}},
            },
            {
                "Effect": "Allow",
                "Action": "sagemaker:UpdateModelPackage",
                "Resource": versions,
                "Condition": {"Null": {"sagemaker:ModelApprovalStatus": "true"}},
            },
        ],
        "reviewer": [
            read,
            download,
            {
                "Effect": "Allow",
                "Action": "sagemaker:UpdateModelPackage",
                "Resource": versions,
                "Condition": {"StringEquals": {"sagemaker:ModelApprovalStatus": ["Approved", "Rejected"]}},
            },
        ],
        "deployer": [
            read,
            download,
            {"Effect": "Allow", "Action": "modelyard:GetRegisteredArtifact", "Resource": versions},
            {"Effect": "Allow", "Action": DEPLOY, "Resource": "*"},
        ],
    }


def create(iam: Any, name: str, statements: Sequence[Mapping[str, Any]]) -> Credentials:
    """Make a user with a policy and a key, through IAM's own API."""
    iam.create_user(UserName=name)
    document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    iam.put_user_policy(UserName=name, PolicyName=f"{name}-work", PolicyDocument=document)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return Credentials(key["AccessKeyId"], key["SecretAccessKey"])
