"""SageMaker Python SDK v2: PipelineModel of two models, deployed, asked and deleted; and one whose containers are asked directly.

sdk2_pipeline_model.py ENDPOINT-NAME MODEL-DATA OTHER-MODEL-DATA
"""

import json
import sys
import time

import sagemaker
from sagemaker import Model, PipelineModel, Predictor

pause = time.sleep
time.sleep = lambda seconds: pause(min(seconds, 0.2))  # the SDK looks every 30 seconds, and a test waits for that

name, *data = sys.argv[1:]
session = sagemaker.Session()
role = sagemaker.get_execution_role()
models = [Model("modelyard/program:1", model_data=uri, role=role, sagemaker_session=session) for uri in data]
pipeline = PipelineModel(models, role, name=name, sagemaker_session=session, predictor_cls=Predictor)
predictor = pipeline.deploy(1, "ml.m5.large", endpoint_name=name)
answers = [predictor.predict(b"x").decode()]
predictor.delete_endpoint()
pipeline.delete_model()

containers = [
    {"Image": "modelyard/program:1", "ModelDataUrl": uri, "ContainerHostname": f"number-{number}"}
    for number, uri in enumerate(data)
]
direct = f"{name}-direct"
client = session.sagemaker_client
client.create_model(ModelName=direct, Containers=containers, ExecutionRoleArn=role, InferenceExecutionConfig={"Mode": "Direct"})
session.endpoint_from_production_variants(direct, [sagemaker.production_variant(direct, "ml.m5.large")])
for number in (0, 1):
    predictor = Predictor(direct, session)
    given = {"TargetContainerHostname": f"number-{number}"}
    answers.append(predictor.predict(b"x", initial_args=given).decode())
predictor.delete_endpoint()
print()  # the SDK has left a line open
print(json.dumps(answers))
