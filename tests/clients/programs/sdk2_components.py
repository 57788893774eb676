"""SageMaker Python SDK v2: two models deployed as inference components of one endpoint, asked, scaled and deleted.

sdk2_components.py ENDPOINT-NAME MODEL-DATA OTHER-MODEL-DATA
"""

import json
import sys
import time

import sagemaker
from sagemaker import Model, Predictor
from sagemaker.compute_resource_requirements.resource_requirements import ResourceRequirements
from sagemaker.enums import EndpointType

pause = time.sleep
time.sleep = lambda seconds: pause(min(seconds, 0.2))  # the SDK looks every 30 seconds, and a test waits for that

name, *data = sys.argv[1:]
session = sagemaker.Session()
role = sagemaker.get_execution_role()
resources = ResourceRequirements(requests={"copies": 1, "memory": 512, "num_cpus": 1})
predictors = [
    Model("modelyard/program:1", model_data=uri, role=role, sagemaker_session=session, predictor_cls=Predictor).deploy(
        1,
        "ml.m5.xlarge",
        endpoint_name=name,
        endpoint_type=EndpointType.INFERENCE_COMPONENT_BASED,
        resources=resources,
        inference_component_name=f"{name}-{number}",
    )
    for number, uri in enumerate(data)
]
answers = [predictor.predict(b"x").decode() for predictor in predictors]
listed = session.list_inference_components(endpoint_name_equals=name)["InferenceComponents"]
specification = session.describe_inference_component(f"{name}-0")["Specification"]
session.update_inference_component(f"{name}-0", specification, {"CopyCount": 2}, wait=True)
copies = session.describe_inference_component(f"{name}-0")["RuntimeConfig"]["DesiredCopyCount"]
for predictor in predictors:
    predictor.delete_predictor(wait=True)
session.delete_endpoint(name)
print()  # the SDK has left a line open
print(json.dumps({"answers": answers, "listed": len(listed), "copies": copies}))
