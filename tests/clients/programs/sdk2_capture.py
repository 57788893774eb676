"""SageMaker Python SDK v2: deploy with a DataCaptureConfig, predict, and turn data capture off, on and elsewhere.

sdk2_capture.py IMAGE MODEL-DATA DESTINATION ENDPOINT-NAME
"""

import json
import sys
import time

import sagemaker
from sagemaker import Predictor
from sagemaker.deserializers import JSONDeserializer
from sagemaker.model import Model
from sagemaker.model_monitor import DataCaptureConfig
from sagemaker.s3 import S3Downloader
from sagemaker.serializers import CSVSerializer

pause = time.sleep
time.sleep = lambda seconds: pause(min(seconds, 0.2))  # the SDK looks every 30 seconds, and a test waits for that

image, model_data, destination, name = sys.argv[1:]
session = sagemaker.Session()
role = sagemaker.get_execution_role()
seen = []


class Csv(Predictor):
    """Sends CSV and reads JSON."""

    def __init__(self, endpoint_name, sagemaker_session):
        super().__init__(endpoint_name, sagemaker_session, serializer=CSVSerializer(), deserializer=JSONDeserializer())


def look():
    shown = session.sagemaker_client.describe_endpoint(EndpointName=name)["DataCaptureConfig"]
    seen.append([shown["CaptureStatus"], shown["CurrentSamplingPercentage"], shown["DestinationS3Uri"]])


def captured(uri, number):
    for _ in range(300):
        lines = [line for file in S3Downloader.list(uri) for line in S3Downloader.read_file(file).splitlines()]
        if len(lines) >= number:
            break
        pause(0.2)
    return [json.loads(line)["captureData"] for line in lines]


model = Model(image_uri=image, model_data=model_data, role=role, predictor_cls=Csv, sagemaker_session=session)
capture = DataCaptureConfig(enable_capture=True, sampling_percentage=100, destination_s3_uri=f"{destination}/first")
predictor = model.deploy(initial_instance_count=1, instance_type="ml.m5.large", endpoint_name=name, data_capture_config=capture)
look()
predictor.predict([[1, 2, 3]], inference_id="one")
first = captured(f"{destination}/first", 1)
predictor.disable_data_capture()
look()
predictor.predict([[4, 5, 6]])
predictor.enable_data_capture()
look()
predictor.update_data_capture_config(
    DataCaptureConfig(True, sampling_percentage=100, destination_s3_uri=f"{destination}/second", capture_options=["REQUEST"])
)
look()
predictor.predict([[7, 8, 9]])
second = captured(f"{destination}/second", 1)
print()  # the SDK has left a line open
print(json.dumps({"first": first, "second": second, "seen": seen, "in first": len(captured(f"{destination}/first", 1))}))
