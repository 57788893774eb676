"""What a training account writes with the SageMaker Python SDK v2 to register in another account's group. Prints JSON."""

import json
import sys

import sagemaker
from botocore.exceptions import ClientError
from sagemaker import get_execution_role
from sagemaker.model import Model

group_arn, image, artifact = sys.argv[1:]
model = Model(image_uri=image, model_data=artifact, role=get_execution_role(), sagemaker_session=sagemaker.Session())
try:
    registered = model.register(
        model_package_group_name=group_arn, content_types=["text/csv"], response_types=["text/csv"], description="across"
    )
    print(json.dumps({"made": registered.model_package_arn}))
except ClientError as error:
    print(json.dumps({"refused": error.response["Error"]}))
