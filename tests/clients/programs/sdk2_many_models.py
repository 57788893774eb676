"""SageMaker Python SDK v2: MultiDataModel.deploy, add_model, list_models, predict with each of them, delete.

sdk2_many_models.py BUCKET ENDPOINT-NAME, with a model.tar.gz on its input
"""

import json
import logging
import sys
import tempfile
import time
from pathlib import Path

from sagemaker import Session, get_execution_role
from sagemaker.multidatamodel import MultiDataModel
from sagemaker.predictor import Predictor

pause = time.sleep
time.sleep = lambda seconds: pause(min(seconds, 0.2))  # the SDK looks every 30 seconds, and a test waits for that
logging.disable(logging.CRITICAL)
bucket, name = sys.argv[1:]
session = Session(default_bucket=bucket)
role = get_execution_role()
many = MultiDataModel(
    name=name,
    model_data_prefix=f"s3://{bucket}/models/",
    image_uri="modelyard/program:1",
    role=role,
    sagemaker_session=session,
    predictor_cls=Predictor,
)
predictor = many.deploy(initial_instance_count=1, instance_type="ml.m5.large", endpoint_name=name)
with tempfile.TemporaryDirectory() as folder:
    local = Path(folder) / "two.tar.gz"
    local.write_bytes(sys.stdin.buffer.read())
    many.add_model(model_data_source=str(local), model_data_path="sub/two.tar.gz")
many.add_model(model_data_source=f"s3://{bucket}/models/one.tar.gz", model_data_path="copied.tar.gz")
models = sorted(many.list_models())
answers = [predictor.predict(b"{}", target_model=model).decode() for model in ("one.tar.gz", "sub/two.tar.gz", "copied.tar.gz")]
predictor.delete_endpoint()
many.delete_model()
print()  # the SDK has left a line open
print(json.dumps({"models": models, "answers": answers}))
