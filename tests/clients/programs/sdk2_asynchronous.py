"""SageMaker Python SDK v2: deploy asynchronously, predict_async and get_result, predict, failures; and a serverless endpoint.

sdk2_asynchronous.py MODEL-DATA IMAGE ENDPOINT-NAME
"""

import json
import sys
import time

import sagemaker
from sagemaker import Model, Predictor
from sagemaker.async_inference import AsyncInferenceConfig, WaiterConfig
from sagemaker.deserializers import JSONDeserializer
from sagemaker.exceptions import AsyncInferenceModelError, ObjectNotExistedError
from sagemaker.serializers import JSONSerializer
from sagemaker.serverless import ServerlessInferenceConfig

pause = time.sleep
time.sleep = lambda seconds: pause(min(seconds, 0.2))  # the SDK looks every 30 seconds, and a test waits for that

data, image, name = sys.argv[1:]
session = sagemaker.Session()


class Json(Predictor):
    """Sends and reads JSON."""

    def __init__(self, endpoint_name, sagemaker_session):
        super().__init__(endpoint_name, sagemaker_session, serializer=JSONSerializer(), deserializer=JSONDeserializer())


model = Model(
    image_uri=image, model_data=data, role=sagemaker.get_execution_role(), sagemaker_session=session, predictor_cls=Json
)
predictor = model.deploy(
    initial_instance_count=1,
    instance_type="ml.m5.large",
    endpoint_name=name,
    async_inference_config=AsyncInferenceConfig(max_concurrent_invocations_per_instance=2),
)
waiter = WaiterConfig(max_attempts=200, delay=1)
response = predictor.predict_async({"a": 1}, inference_id="first")
try:
    early = response.get_result()
except ObjectNotExistedError:
    early = None
answers = [response.get_result(waiter), predictor.predict({"a": 2}, waiter_config=waiter)]
failed = predictor.predict_async({"fail": True})
try:
    reason = failed.get_result(waiter)
except AsyncInferenceModelError as error:
    reason = str(error)
predictor.delete_endpoint()
serverless = model.deploy(
    endpoint_name=f"{name}-serverless",
    serverless_inference_config=ServerlessInferenceConfig(memory_size_in_mb=1024, max_concurrency=2),
)
answers.append(serverless.predict({"a": 3}))
serverless.delete_endpoint()
print()  # the SDK has left a line open
print(json.dumps({"answers": answers, "early": early, "reason": reason, "output": response.output_path}))
