"""What a user of sagemaker-core (SDK v3) writes: groups and packages as resources. Prints what came of it as JSON."""

import json
import sys

import boto3
from sagemaker.core.helper.session_helper import Session, get_execution_role
from sagemaker.core.resources import ModelPackage, ModelPackageGroup

name = sys.argv[1]
session = Session()
result: dict[str, object] = {"account": session.account_id(), "bucket": session.default_bucket(), "role": get_execution_role()}

created = ModelPackageGroup.create(model_package_group_name=name, model_package_group_description="of v3")
group = ModelPackageGroup.get(name)
result["group"] = [created.model_package_group_arn, group.model_package_group_status, group.model_package_group_description]
result["groups"] = [one.model_package_group_name for one in ModelPackageGroup.get_all(name_contains=name)]

# ModelPackage.create of sagemaker-core reads a member of the answer that no server sends: registration goes through boto3.
client = boto3.client("sagemaker")
specification = {"Containers": [{"Image": "image:1", "ModelDataUrl": "s3://bucket/model.tar.gz"}]}
registration = {"ModelPackageGroupName": name, "InferenceSpecification": specification}
arns = [client.create_model_package(**registration)["ModelPackageArn"] for _ in range(3)]
package = ModelPackage.get(model_package_name=arns[1])
before = package.model_approval_status
package.update(
    model_approval_status="Approved",
    approval_description="checked",
    customer_metadata_properties={"team": "v3"},
    model_life_cycle={"stage": "Production", "stage_status": "Approved"},
)
package.refresh()
result["package"] = [before, package.model_approval_status, package.approval_description, package.customer_metadata_properties]
result["stage"] = package.model_life_cycle.stage
result["versions"] = [one.model_package_version for one in ModelPackage.get_all(model_package_group_name=name)]
package.delete()
result["left"] = [one.model_package_version for one in ModelPackage.get_all(model_package_group_name=name)]
for one in ModelPackage.get_all(model_package_group_name=name):
    one.delete()
group.delete()
result["groups_left"] = [one.model_package_group_name for one in ModelPackageGroup.get_all(name_contains=name)]
json.dump(result, sys.stdout, default=str)
