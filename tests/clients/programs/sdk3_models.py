"""What a user of sagemaker-core (SDK v3) writes: models and endpoint configurations as resources. Prints JSON."""

import json
import sys

from sagemaker.core.helper.session_helper import get_execution_role
from sagemaker.core.resources import EndpointConfig, Model
from sagemaker.core.shapes import ContainerDefinition, ProductionVariant, VpcConfig

package, name = sys.argv[1:]
result: dict[str, object] = {}
made = Model.create(
    model_name=name,
    containers=[ContainerDefinition(model_package_name=package, environment={"A": "b"})],
    execution_role_arn=get_execution_role(),
    vpc_config=VpcConfig(security_group_ids=["sg-1"], subnets=["subnet-1"]),
    enable_network_isolation=True,
)
model = Model.get(name)
result["model"] = [made.model_arn, model.model_arn, model.containers[0].model_package_name, model.enable_network_isolation]
variant = ProductionVariant(variant_name="all", model_name=name, instance_type="ml.m5.large", initial_instance_count=2)
EndpointConfig.create(endpoint_config_name=name, production_variants=[variant])
config = EndpointConfig.get(name)
config.refresh()
shown = config.production_variants[0]
result["config"] = [config.endpoint_config_arn, shown.model_name, shown.initial_instance_count, shown.initial_variant_weight]
result["listed"] = [
    [one.model_name for one in Model.get_all(name_contains=name)],
    [one.endpoint_config_name for one in EndpointConfig.get_all(name_contains=name)],
]
config.delete()
model.delete()
result["left"] = len(list(Model.get_all(name_contains=name))) + len(list(EndpointConfig.get_all(name_contains=name)))
json.dump(result, sys.stdout)
