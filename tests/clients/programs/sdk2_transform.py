"""SageMaker Python SDK v2: Model(...).transformer(...).transform(wait=True), ModelPackage(...).transformer, and Transformer.

sdk2_transform.py IMAGE MODEL-DATA VERSION-ARN FOLDER, where FOLDER/in has the input
"""

import json
import sys
import time

import sagemaker
from sagemaker import Model, ModelPackage
from sagemaker.transformer import Transformer

pause, clock, began = time.sleep, time.time, time.time()
# The SDK looks every 30 seconds, and a test waits for that.
time.sleep = lambda seconds: pause(min(seconds, 0.2))
time.time = lambda: began + 60 * (clock() - began)

image, data, version, folder = sys.argv[1:]
session = sagemaker.Session()
role = sagemaker.get_execution_role()
resources = {"instance_count": 1, "instance_type": "ml.m5.large"}
lines = {"content_type": "text/csv", "split_type": "Line"}

model = Model(image_uri=image, model_data=data, role=role, sagemaker_session=session)
whole = model.transformer(
    **resources,
    strategy="MultiRecord",
    assemble_with="Line",
    accept="text/csv",
    output_path=f"{folder}/model",
    max_concurrent_transforms=2,
    max_payload=1,
    env={"MINE": "1"},
    tags=[{"Key": "team", "Value": "fraud"}],
)
whole.transform(f"{folder}/in", **lines, input_filter="$[1:]", join_source="Input", output_filter="$[0,-1]", wait=True, logs=True)
job = session.sagemaker_client.describe_transform_job(TransformJobName=whole.latest_transform_job.name)

package = ModelPackage(role=role, model_package_arn=version, sagemaker_session=session)
packaged = package.transformer(**resources, output_path=f"{folder}/package")
packaged.transform(f"{folder}/in", **lines, input_filter="$[1:]", wait=False, logs=False)
packaged.wait(logs=False)

alone = Transformer(whole.model_name, **resources, sagemaker_session=session)
alone.transform(f"{folder}/in", **lines, wait=False, logs=False)
alone.stop_transform_job()

attached = Transformer.attach(whole.latest_transform_job.name, sagemaker_session=session)


def status(transformer):
    name = transformer.latest_transform_job.name
    return session.sagemaker_client.describe_transform_job(TransformJobName=name)["TransformJobStatus"]


print()  # the SDK has left a line open
print(
    json.dumps(
        {
            "status": job["TransformJobStatus"],
            "environment": job["Environment"],
            "tags": session.sagemaker_client.list_tags(ResourceArn=job["TransformJobArn"])["Tags"],
            "package": status(packaged),
            "stopped": status(alone),
            "attached": [attached.strategy, attached.output_path],
        }
    )
)
