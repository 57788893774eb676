"""What a user of the SageMaker Python SDK v2 writes: session, role, register, review. Prints what came of it as JSON."""

import json
import sys

import sagemaker
from sagemaker import ModelPackage, get_execution_role
from sagemaker.drift_check_baselines import DriftCheckBaselines
from sagemaker.model import Model
from sagemaker.model_metrics import FileSource, MetricsSource, ModelMetrics
from sagemaker.pipeline import PipelineModel

REGISTRY = "111122223333.dkr.ecr.us-east-1.amazonaws.com"
group = sys.argv[1]
session = sagemaker.Session()
bucket, role = session.default_bucket(), get_execution_role()
evaluation = json.dumps({"binary_classification_metrics": {"accuracy": {"value": 0.93, "standard_deviation": "NaN"}}})
evaluation_uri = session.upload_string_as_file_body(evaluation, bucket=bucket, key=f"{group}/evaluation.json")
artifact_uri = session.upload_string_as_file_body("a model", bucket=bucket, key=f"{group}/model.tar.gz")


def metrics(uri: str) -> MetricsSource:
    return MetricsSource(content_type="application/json", s3_uri=uri)


def model(image: str, **more: object) -> Model:
    return Model(image_uri=image, model_data=artifact_uri, role=role, sagemaker_session=session, **more)


where = {
    "content_types": ["text/csv"],
    "response_types": ["text/csv"],
    "inference_instances": ["ml.m5.large"],
    "transform_instances": ["ml.m5.large"],
    "model_package_group_name": group,
}
registered = model(f"{REGISTRY}/fraud:1").register(
    **where,
    model_metrics=ModelMetrics(model_statistics=metrics(evaluation_uri)),
    drift_check_baselines=DriftCheckBaselines(
        model_statistics=metrics(evaluation_uri),
        bias_config_file=FileSource(content_type="application/json", s3_uri=f"s3://{bucket}/{group}/bias.json"),
    ),
    approval_status="PendingManualApproval",
    description="the first",
    customer_metadata_properties={"data": "v1", "draft": "yes"},
)
stages = [
    model(f"{REGISTRY}/scale:1", env={"A": "b"}),
    model(f"{REGISTRY}/fraud:2"),
]
pipeline = PipelineModel(models=stages, role=role, sagemaker_session=session).register(**where)

package = ModelPackage(role=role, model_package_arn=registered.model_package_arn, sagemaker_session=session)
package.update_approval_status("Approved", approval_description="good enough")
package.update_customer_metadata({"reviewed": "2026"})
package.remove_customer_metadata_properties(["draft"])
package.add_inference_specification(name="gpu", image_uris=[f"{REGISTRY}/fraud:gpu"])
package.update_source_uri("git://fraud")

client = session.sagemaker_client
filters = {
    "Filters": [
        {"Name": "ModelPackageGroupName", "Value": group},
        {"Name": "Metrics.accuracy", "Operator": "GreaterThan", "Value": "0.9"},
    ]
}
found = client.search(Resource="ModelPackage", SearchExpression=filters)["Results"]
json.dump(
    {
        "account": session.account_id(),
        "bucket": bucket,
        "role": role,
        "registered": registered.model_package_arn,
        "pipeline": pipeline.model_package_arn,
        "described": client.describe_model_package(ModelPackageName=registered.model_package_arn),
        "pipeline_described": client.describe_model_package(ModelPackageName=pipeline.model_package_arn),
        "found": [result["ModelPackage"]["ModelPackageArn"] for result in found],
    },
    sys.stdout,
    default=str,
)
