"""A version becomes a model by the SDK, which approves it by itself. Prints what the model is, or the refusal, as JSON."""

import json
import sys

import sagemaker
from botocore.exceptions import ClientError
from sagemaker import ModelPackage

arn, name = sys.argv[1:]
session = sagemaker.Session()
package = ModelPackage(
    role=sagemaker.get_execution_role(), model_package_arn=arn, name=name, env={"A": "b"}, sagemaker_session=session
)
result: dict[str, object] = {}
try:
    package.create(tags=[{"Key": "team", "Value": "fraud"}])
except ClientError as error:
    result["refused"] = error.response["Error"]
else:
    described = session.sagemaker_client.describe_model(ModelName=name)
    result["model"] = [described["ModelArn"], described["ExecutionRoleArn"], *described["Containers"]]
    result["tags"] = session.list_tags(described["ModelArn"])
    package.delete_model()
result["approval"] = session.sagemaker_client.describe_model_package(ModelPackageName=arn)["ModelApprovalStatus"]
json.dump(result, sys.stdout)
