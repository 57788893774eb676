"""What a user of the SageMaker Python SDK v2 does with lineage, by its own classes. Prints what came of it as JSON."""

import json
import sys

import sagemaker
from sagemaker.lineage.action import Action, ModelPackageApprovalAction
from sagemaker.lineage.artifact import Artifact, DatasetArtifact, ModelArtifact
from sagemaker.lineage.association import Association
from sagemaker.lineage.context import Context, EndpointContext, ModelPackageGroup
from sagemaker.lineage.query import (
    LineageEntityEnum,
    LineageFilter,
    LineageQuery,
    LineageQueryDirectionEnum,
    LineageSourceEnum,
)
from sagemaker.lineage.visualizer import LineageTableVisualizer

group, package_arn = sys.argv[1:]
session = sagemaker.Session()
here = {"sagemaker_session": session}
result = {}

data_uri = f"s3://bucket/{group}/train.csv"
data = DatasetArtifact.create(
    artifact_name="train", source_uri=data_uri, artifact_type="DataSet", properties={"rows": "10", "old": "x"}, **here
)
job = Action.create(action_name=f"{group}-train", action_type="Training", source_uri="job", status="InProgress", **here)
(model_summary,) = Artifact.list(source_uri=f"s3://bucket/{group}/model.tar.gz", **here)
made = [
    Association.create(source_arn=data.artifact_arn, destination_arn=job.action_arn, association_type="ContributedTo", **here),
    Association.create(
        source_arn=job.action_arn, destination_arn=model_summary.artifact_arn, association_type="Produced", **here
    ),
]
endpoint = EndpointContext.create(
    context_name=f"{group}-endpoint", source_uri=f"endpoint/{group}", context_type="Endpoint", source_type="Endpoint", **here
)

job.status, job.properties = "Completed", {"accuracy": "0.9"}
job.save()
data.properties, data.properties_to_remove = {"rows": "11"}, ["old"]
data.save()
data.set_tag({"Key": "team", "Value": "fraud"})
result["job"] = Action.load(action_name=job.action_name, **here).status
result["data"] = Artifact.load(artifact_arn=data.artifact_arn, **here).properties
result["tags"] = session.sagemaker_client.list_tags(ResourceArn=data.artifact_arn)["Tags"]

(package_summary,) = Artifact.list(source_uri=package_arn, **here)
package = ModelArtifact.load(artifact_arn=package_summary.artifact_arn, **here)
Association.create(
    source_arn=package.artifact_arn, destination_arn=endpoint.context_arn, association_type="ContributedTo", **here
)
result["datasets"] = [one.source.source_uri for one in package.dataset_artifacts()]
result["endpoints"] = [one.context_name for one in package.endpoint_contexts()]
result["endpoints_of_data"] = [one.context_name for one in data.endpoint_contexts()]

(approval_summary,) = Action.list(source_uri=package_arn, action_type="Approval", **here)
approval = ModelPackageApprovalAction.load(action_name=approval_summary.action_name, **here)
result["approval"] = [approval.properties["ModelApprovalStatus"], approval.source.source_uri]
result["data_of_approval"] = [one.source.source_uri for one in approval.datasets()]
result["endpoints_of_approval"] = [one.context_name for one in approval.endpoints()]

(group_summary,) = Context.list(
    context_type="ModelGroup",
    source_uri=f"{package_arn.rpartition('/')[0]}".replace(":model-package/", ":model-package-group/"),
    **here,
)
result["group"] = ModelPackageGroup.load(context_name=group_summary.context_name, **here).context_type

found = LineageQuery(session).query(
    start_arns=[package.artifact_arn],
    query_filter=LineageFilter(
        entities=[LineageEntityEnum.ARTIFACT], sources=[LineageSourceEnum.IMAGE, LineageSourceEnum.DATASET]
    ),
    direction=LineageQueryDirectionEnum.ASCENDANTS,
    include_edges=True,
)
result["query"] = sorted({vertex.lineage_source for vertex in found.vertices})
result["edges"] = len(found.edges)
result["objects"] = sorted(type(vertex.to_lineage_object()).__name__ for vertex in found.vertices)

table = LineageTableVisualizer(session).show(model_package_arn=package_arn)
result["table"] = sorted(
    [row["Direction"], row["Type"], row["Association Type"], row["Lineage Type"]] for _, row in table.iterrows()
)

for one in made:
    one.delete()
job.delete()
data.delete(disassociate=True)
endpoint.delete(disassociate=True)
result["left"] = [len(list(Artifact.list(source_uri=data_uri, **here))), len(list(Action.list(source_uri="job", **here)))]
json.dump(result, sys.stdout)
