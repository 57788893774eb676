"""Every image address that the SageMaker Python SDK v2 knows of the frameworks that are asked for, as a JSON list."""

import contextlib
import json
import logging
import sys
from pathlib import Path

import sagemaker
from sagemaker import image_uris

INSTANCES = ("ml.m5.xlarge", "ml.g5.xlarge", "ml.c6g.xlarge")

REGIONS = ("us-east-1", "cn-north-1")
"""Where every version is looked up, which takes a while; elsewhere the newest one, for tags are the same in every region."""

logging.disable(logging.CRITICAL)
found = set()
for framework in sys.argv[1:]:
    described = json.loads((Path(sagemaker.__file__).parent / "image_uri_config" / f"{framework}.json").read_text())
    for scope in (scope for scope, one in described.items() if isinstance(one, dict) and "versions" in one):
        versions = described[scope]["versions"]
        for version, one in versions.items():
            regions = one["registries"] if version == list(versions)[-1] else REGIONS
            for region in regions:
                for instance in INSTANCES if region == "us-east-1" else INSTANCES[:1]:
                    for python in one.get("py_versions") or [None]:
                        given = {"version": version, "instance_type": instance, "image_scope": scope, "py_version": python}
                        with contextlib.suppress(ValueError):
                            found.add(image_uris.retrieve(framework, region, **given))
print(json.dumps(sorted(found)))
