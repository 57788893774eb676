"""moto's server with its registry full from the start. Runs in moto's environment:

    python -m benchmarks.peers.moto_server PORT VERSIONS

Its objects are made as moto's own CreateModelPackage makes them, without the search through all versions that it does for
each.
"""

import sys

from benchmarks.common import version
from moto.sagemaker.models import ModelPackage, sagemaker_backends
from moto.server import main


def fill(count: int) -> None:
    """Register `count` versions."""
    backend = sagemaker_backends[version.ACCOUNT][version.REGION]
    for group in version.GROUPS:
        backend.create_model_package_group(group, f"Models of {group}", [])
    for number in range(count):
        group, number_in_group = version.place(number)
        request = version.request(number)
        package = ModelPackage(
            model_package_name=group,
            model_package_group_name=group,
            model_package_version=number_in_group,
            model_package_description=request["ModelPackageDescription"],
            inference_specification=request["InferenceSpecification"],
            source_algorithm_specification=None,
            validation_specification=None,
            certify_for_marketplace=False,
            model_approval_status=request["ModelApprovalStatus"],
            metadata_properties=None,
            model_metrics=request["ModelMetrics"],
            approval_description=None,
            customer_metadata_properties=request["CustomerMetadataProperties"],
            drift_check_baselines=None,
            domain=None,
            task=None,
            sample_payload_url=None,
            additional_inference_specifications=None,
            client_token=None,
            region_name=version.REGION,
            account_id=version.ACCOUNT,
            model_package_type="Versioned",
            tags=None,
        )
        backend.model_package_name_mapping[package.model_package_name] = package.arn
        backend.model_package_name_mapping[package.arn] = package.arn
        backend.model_packages[package.arn] = package


if __name__ == "__main__":
    fill(int(sys.argv[2]))
    main(["-H", "127.0.0.1", "-p", sys.argv[1]])
