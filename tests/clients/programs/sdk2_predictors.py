"""SageMaker Python SDK v2: predictors with CSV, JSON and NumPy serializers, and the notebook that tests an endpoint.

sdk2_predictors.py MODEL-NAME ENDPOINT-NAME
"""

import io
import json
import sys
import time

import boto3
import numpy
import pandas
import sagemaker
from sagemaker.deserializers import CSVDeserializer, JSONDeserializer, NumpyDeserializer
from sagemaker.predictor import Predictor
from sagemaker.serializers import CSVSerializer, JSONSerializer, NumpySerializer

pause = time.sleep
time.sleep = lambda seconds: pause(min(seconds, 0.2))  # the SDK looks every 30 seconds, and a test waits for that

model, name = sys.argv[1:]
session = sagemaker.Session()
result: dict[str, object] = {}

variant = sagemaker.production_variant(model, "ml.m5.large", 1)
session.endpoint_from_production_variants(name, [variant])
rows = [[1, 2, 3], [4, 5, 6]]
for kind, serializer, deserializer in (
    ("csv", CSVSerializer(), CSVDeserializer()),
    ("json", JSONSerializer(), JSONDeserializer()),
    ("numpy", NumpySerializer(), NumpyDeserializer()),
):
    predictor = Predictor(name, session, serializer=serializer, deserializer=deserializer)
    given = numpy.array(rows, dtype="float64") if kind == "numpy" else rows
    answer = predictor.predict(given)
    result[kind] = [answer.tolist(), str(answer.dtype)] if kind == "numpy" else answer
result["attributes"] = Predictor(name, session).predict(b"1,2", initial_args={"ContentType": "text/csv"}).decode()

# The notebook: the test set as CSV, without header and label; the probabilities give the classes, those the accuracy.
random = numpy.random.default_rng(3)
test = pandas.DataFrame(random.normal(size=(200, 4)))
truth = (test.sum(axis=1) + random.normal(scale=0.7, size=200) > 0).astype(int)
content = io.StringIO()
test.to_csv(content, header=False, index=False)
client = boto3.client("runtime.sagemaker")
response = client.invoke_endpoint(
    EndpointName=name, ContentType="text/csv", Accept="application/json;verbose", Body=content.getvalue().encode("utf-8")
)
probabilities = json.loads(response["Body"].read())["probabilities"]
predicted = numpy.argmax(numpy.array(probabilities), axis=-1)
result["accuracy"] = float((predicted == truth).mean())

predictor.delete_model()
predictor.delete_endpoint()
sagemaker_client = session.sagemaker_client
for _ in range(200):
    left = [one["EndpointName"] for one in sagemaker_client.list_endpoints(NameContains=name)["Endpoints"]]
    if not left:
        break
    pause(0.1)
result["left"] = [
    *left,
    *(one["EndpointConfigName"] for one in sagemaker_client.list_endpoint_configs(NameContains=name)["EndpointConfigs"]),
    *(one["ModelName"] for one in sagemaker_client.list_models(NameContains=model)["Models"]),
]
print()  # the SDK has left a line open
print(json.dumps(result))
