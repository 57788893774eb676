"""SageMaker Python SDK v3 (sagemaker-core): a version becomes an endpoint, is invoked, updated to the next version, and deleted.

sdk3_endpoint.py VERSION-ARN OTHER-VERSION-ARN NAME
"""

import json
import sys

from sagemaker.core.helper.session_helper import get_execution_role
from sagemaker.core.resources import Endpoint, EndpointConfig, Model
from sagemaker.core.shapes import ContainerDefinition, ProductionVariant

first, second, name = sys.argv[1:]
result: dict[str, object] = {}


def configured(version: str, named: str) -> EndpointConfig:
    """A configuration of a version."""
    model = Model.create(
        model_name=named,
        primary_container=ContainerDefinition(model_package_name=version),
        execution_role_arn=get_execution_role(),
    )
    variant = ProductionVariant(
        variant_name="AllTraffic", model_name=model.model_name, instance_type="ml.m5.large", initial_instance_count=1
    )
    return EndpointConfig.create(endpoint_config_name=named, production_variants=[variant])


def asked(endpoint: Endpoint) -> list[object]:
    """What it answers, and with which type."""
    answer = endpoint.invoke(body="1,2,3", content_type="text/csv", accept="application/json")
    return [json.loads(answer.body.read()), answer.content_type, answer.invoked_production_variant]


endpoint = Endpoint.create(endpoint_name=name, endpoint_config_name=configured(first, f"{name}-1").endpoint_config_name)
endpoint.wait_for_status("InService", poll=1, timeout=120)
result["created"] = [endpoint.endpoint_status, endpoint.production_variants[0].current_instance_count, asked(endpoint)]
endpoint.endpoint_config_name = configured(second, f"{name}-2").endpoint_config_name
endpoint.update()
endpoint.wait_for_status("InService", poll=1, timeout=120)
result["updated"] = [endpoint.endpoint_config_name, asked(endpoint)]
result["listed"] = [one.endpoint_name for one in Endpoint.get_all(name_contains=name)]
endpoint.delete()
endpoint.wait_for_delete(poll=1, timeout=120)
for number in (1, 2):
    EndpointConfig.get(f"{name}-{number}").delete()
    Model.get(f"{name}-{number}").delete()
result["left"] = [one.endpoint_name for one in Endpoint.get_all(name_contains=name)]
print()  # the SDK has left a line open
json.dump(result, sys.stdout)
