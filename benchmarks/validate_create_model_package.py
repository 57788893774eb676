"""Claim: a realistic CreateModelPackage is validated in under 100 µs.

Two containers, metrics, drift baselines and metadata, as the SageMaker Python SDK sends them. Also, for the same request:
finding its operation, and reading it out of its JSON.

    python benchmarks/validate_create_model_package.py [--rounds 5] [--calls 5000] [--output FILE]
"""

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from modelyard.aws.catalogue import Catalogue
from modelyard.aws.errors import ValidationException
from modelyard.aws.http import HttpRequest

LIMIT = 100.0
"""Microseconds."""
RESULTS = Path(__file__).parent / "results" / "validate_create_model_package.json"
REGISTRY = "123456789012.dkr.ecr.us-east-1.amazonaws.com"


def main() -> None:
    arguments = _arguments()
    result = _measure(arguments.rounds, arguments.calls)
    text = json.dumps(result, indent=2, ensure_ascii=False)
    print(text)
    arguments.output.write_text(text + "\n")
    if result["microseconds"]["validate"]["median"] > LIMIT:
        sys.exit("over the limit: validate")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=5_000)
    parser.add_argument("--output", type=Path, default=RESULTS)
    return parser.parse_args()


def _measure(rounds: int, calls: int) -> dict[str, Any]:
    catalogue = Catalogue()
    http = HttpRequest("POST", "/", "", {"x-amz-target": "SageMaker.CreateModelPackage"}, orjson.dumps(_request()))
    route = catalogue.route(http)
    operation = route.operation
    request = operation.parse(http, route)
    operation.validate(request)
    _check_that_it_validates(operation.validate, request)
    return {
        "claim": "a realistic CreateModelPackage is validated in under 100 µs",
        "machine": {"python": platform.python_version(), "processor": platform.machine()},
        "rounds": rounds,
        "calls": calls,
        "request_bytes": len(http.body),
        "limit_microseconds": LIMIT,
        "microseconds": {
            "route": _timed(lambda: catalogue.route(http), rounds, calls),
            "parse": _timed(lambda: operation.parse(http, route), rounds, calls),
            "validate": _timed(lambda: operation.validate(request), rounds, calls),
        },
    }


def _timed(call: Callable[[], object], rounds: int, calls: int) -> dict[str, Any]:
    """Microseconds for one call: the median of the rounds, and each of them."""
    each = []
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(calls):
            call()
        each.append(round((time.perf_counter() - start) / calls * 1e6, 2))
    return {"median": statistics.median(each), "rounds": each}


def _check_that_it_validates(validate: Callable[[dict[str, Any]], None], request: dict[str, Any]) -> None:
    """What is measured is a validation that finds what is wrong, deep inside."""
    broken = orjson.loads(orjson.dumps(request))
    broken["InferenceSpecification"]["Containers"][1]["Image"] = "not an image"
    try:
        validate(broken)
    except ValidationException:
        return
    raise SystemExit("the validator accepts a broken request")


def _request() -> dict[str, Any]:
    return {
        "ModelPackageGroupName": "rc-fraud-detection",
        "ModelPackageDescription": "Gradient boosting over the transactions of the second quarter, with merchant features.",
        "ModelApprovalStatus": "PendingManualApproval",
        "CertifyForMarketplace": False,
        "SkipModelValidation": "None",
        "ClientToken": "0f0e6c3a-5f0b-4f0e-9d52-6d1f3f1f4a11",
        "Domain": "MACHINE_LEARNING",
        "Task": "CLASSIFICATION",
        "SamplePayloadUrl": "s3://rc-models/fraud/sample/payload.tar.gz",
        "InferenceSpecification": {
            "Containers": [
                _container("sagemaker-scikit-learn:1.2-1", "preprocess"),
                _container("sagemaker-xgboost:1.7-1", "model"),
            ],
            "SupportedContentTypes": ["text/csv", "application/json"],
            "SupportedResponseMIMETypes": ["text/csv", "application/json"],
            "SupportedRealtimeInferenceInstanceTypes": ["ml.m5.large", "ml.m5.xlarge", "ml.c5.xlarge"],
            "SupportedTransformInstanceTypes": ["ml.m5.large", "ml.m5.4xlarge"],
        },
        "ModelMetrics": {
            "ModelQuality": {"Statistics": _source("evaluation"), "Constraints": _source("quality-constraints")},
            "ModelDataQuality": {"Statistics": _source("statistics"), "Constraints": _source("constraints")},
            "Bias": {"Report": _source("bias")},
            "Explainability": {"Report": _source("explainability")},
        },
        "DriftCheckBaselines": {
            "ModelQuality": {"Statistics": _source("baseline-quality"), "Constraints": _source("baseline-constraints")},
            "Bias": {"PreTrainingConstraints": _source("baseline-bias")},
        },
        "MetadataProperties": {
            "CommitId": "8f14e45fceea167a5a36dedd4bea2543",
            "Repository": "https://git.example.com/rc/fraud-detection",
            "GeneratedBy": "arn:aws:sagemaker:us-east-1:123456789012:pipeline/fraud/execution/abcdefghijkl",
            "ProjectId": "fraud",
        },
        "CustomerMetadataProperties": {
            f"training.{name}": f"value of {name}" for name in ("data", "rows", "owner", "ticket", "cost")
        },
    }


def _container(image: str, name: str) -> dict[str, Any]:
    return {
        "ContainerHostname": name,
        "Image": f"{REGISTRY}/{image}-cpu-py3",
        "ImageDigest": "sha256:" + "5f" * 32,
        "ModelDataUrl": f"s3://rc-models/fraud/{name}/model.tar.gz",
        "Framework": "XGBOOST",
        "FrameworkVersion": "1.7",
        "NearestModelName": "xgboost",
        "Environment": {
            "SAGEMAKER_PROGRAM": "inference.py",
            "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
            "SAGEMAKER_CONTAINER_LOG_LEVEL": "20",
            "SAGEMAKER_REGION": "us-east-1",
        },
    }


def _source(name: str) -> dict[str, str]:
    return {
        "ContentType": "application/json",
        "S3Uri": f"s3://rc-models/fraud/metrics/{name}.json",
        "ContentDigest": "sha256:" + "0a" * 32,
    }


if __name__ == "__main__":
    main()
