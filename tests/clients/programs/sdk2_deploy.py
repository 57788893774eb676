"""The SDK's deploy() approves a version by itself when it is not approved: prints the refusal that a caller gets who may not."""

import sys

import sagemaker
from botocore.exceptions import ClientError
from sagemaker import ModelPackage

package = ModelPackage(
    role="arn:aws:iam::111122223333:role/x", model_package_arn=sys.argv[1], sagemaker_session=sagemaker.Session()
)
try:
    package.deploy(initial_instance_count=1, instance_type="ml.m5.large", endpoint_name="e")
except ClientError as error:
    print(error)
