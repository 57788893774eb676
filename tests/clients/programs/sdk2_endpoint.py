"""SageMaker Python SDK v2: ModelPackage.deploy, predict, update_endpoint to another version, predict, delete_endpoint.

sdk2_endpoint.py VERSION-ARN OTHER-VERSION-ARN ENDPOINT-NAME
"""

import json
import sys
import time

import sagemaker
from sagemaker import ModelPackage, Predictor
from sagemaker.deserializers import JSONDeserializer
from sagemaker.serializers import CSVSerializer

pause = time.sleep
time.sleep = lambda seconds: pause(min(seconds, 0.2))  # the SDK looks every 30 seconds, and a test waits for that

first, second, name = sys.argv[1:]
session = sagemaker.Session()
role = sagemaker.get_execution_role()


class Csv(Predictor):
    """Sends CSV and reads JSON."""

    def __init__(self, endpoint_name, sagemaker_session):
        super().__init__(endpoint_name, sagemaker_session, serializer=CSVSerializer(), deserializer=JSONDeserializer())


def package(arn):
    return ModelPackage(role=role, model_package_arn=arn, sagemaker_session=session, predictor_cls=Csv)


predictor = package(first).deploy(initial_instance_count=1, instance_type="ml.m5.large", endpoint_name=name)
answers = [predictor.predict([[1, 2, 3]])]
other = package(second)
other.create(instance_type="ml.m5.large")
predictor.update_endpoint(initial_instance_count=2, instance_type="ml.m5.large", model_name=other.name)
answers.append(predictor.predict([[1, 2, 3], [4, 5, 6]]))
described = session.sagemaker_client.describe_endpoint(EndpointName=name)
predictor.delete_endpoint()
client = session.sagemaker_client
for _ in range(100):
    left = [one["EndpointName"] for one in client.list_endpoints(NameContains=name)["Endpoints"]]
    if not left:
        break
    pause(0.1)
print()  # the SDK has left a line open
print(
    json.dumps(
        {
            "answers": answers,
            "count": described["ProductionVariants"][0]["CurrentInstanceCount"],
            "status": described["EndpointStatus"],
            "left": left,
        }
    )
)
