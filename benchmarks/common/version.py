"""What is registered: versions like those that teams register, each different, all made from their number.

The same content goes to every peer: to Modelyard and moto as CreateModelPackage, to MLflow as a model version with tags and a
run with metrics.
"""

from typing import Any

ACCOUNT = "111122223333"
REGION = "us-east-1"
BUCKET = "ml-artifacts"
GROUPS = ("rc-fraud-detection", "rc-anti-money-laundering", "algo-recommendation-engine", "weather-forecast")
APPROVALS = ("PendingManualApproval", "Approved", "Rejected")
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
PAGE = 100
MATCHES = 20
"""How many versions a search for the best ones finds, however many there are."""


def place(number: int) -> tuple[str, int]:
    """The group and the version that the number-th registration becomes."""
    return GROUPS[number % len(GROUPS)], number // len(GROUPS) + 1


def arn(number: int) -> str:
    """The ARN it gets."""
    group, version = place(number)
    return f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package/{group}/{version}"


def scattered(number: int, salt: int) -> float:
    """A number from 0 to 1 that looks random and is always the same."""
    mixed = (number * 0x9E3779B97F4A7C15 + salt * 0xD1B54A32D192ED03) & 0xFFFFFFFFFFFFFFFF
    mixed = ((mixed ^ (mixed >> 31)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
    return float((mixed ^ (mixed >> 29)) & 0xFFFFFFFF) / 2**32


def figures(number: int) -> dict[str, float]:
    """The metrics of a version."""
    return {name: round(scattered(number, salt), 8) for salt, name in enumerate(("accuracy", "auc", "f1"), 1)}


def approval(number: int) -> str:
    """The approval status it is registered with: a third each."""
    return APPROVALS[int(scattered(number, 4) * len(APPROVALS))]


def metadata(number: int) -> dict[str, str]:
    """The customer metadata of a version. A ticket stands for two versions."""
    return {
        "team": place(number)[0].partition("-")[0],
        "dataset_version": f"{int(scattered(number, 5) * 2**32):08x}",
        "ticket": ticket(number),
    }


def ticket(number: int) -> str:
    """The ticket of a version and of its neighbour."""
    return f"ML-{number // 2}"


def description(number: int) -> str:
    """What it says of itself."""
    return f"Gradient boosting on the nightly extract, run {number}"


def artifact(number: int) -> str:
    """Where the model is."""
    return f"s3://{BUCKET}/{place(number)[0]}/{int(scattered(number, 6) * 2**32):08x}-{number}/model.tar.gz"


def statistics_key(number: int) -> str:
    """The object that holds the metrics."""
    return f"{place(number)[0]}/{number}/statistics.json"


def request(number: int, *, metrics: bool = True) -> dict[str, Any]:
    """CreateModelPackage of the number-th version."""
    statistics = {"ContentType": "application/json", "S3Uri": f"s3://{BUCKET}/{statistics_key(number)}"}
    return {
        "ModelPackageGroupName": place(number)[0],
        "ModelPackageDescription": description(number),
        "ModelApprovalStatus": approval(number),
        "InferenceSpecification": {
            "Containers": [
                {"Image": IMAGE, "ModelDataUrl": artifact(number), "Environment": {"SAGEMAKER_PROGRAM": "inference.py"}}
            ],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
            "SupportedRealtimeInferenceInstanceTypes": ["ml.m5.large"],
            "SupportedTransformInstanceTypes": ["ml.m5.large"],
        },
        "CustomerMetadataProperties": metadata(number),
        **({"ModelMetrics": {"ModelQuality": {"Statistics": statistics}}} if metrics else {}),
    }


def best_accuracy(count: int) -> str:
    """The accuracy that about MATCHES of `count` versions exceed."""
    return f"{1 - MATCHES / count:.8f}"
