"""What the search index keeps of a resource, and how much room it takes."""

import random
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from modelyard.registry import search_store
from modelyard.registry.search_property import LONGEST_TEXT, entries, is_digest, is_indexed, kept, structures_at, values_at
from modelyard.storage import migrate, open_storage

ACCOUNT, REGION = "111122223333", "us-east-1"
MOST_BYTES = 1200
"""On disk, for one version: index, names, keys and all. The document beside it has about 1,240."""


def realistic(version: int, chance: random.Random) -> dict[str, Any]:
    group = ("rc-fraud-detection", "rc-anti-money-laundering", "algo-recommendation-engine")[version % 3]
    return {
        "ModelPackageGroupName": group,
        "ModelPackageVersion": version,
        "ModelPackageArn": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package/{group}/{version}",
        "ModelPackageDescription": f"gradient boosting on the {version} nightly extract",
        "CreationTime": 1_700_000_000.0 + version,
        "CreatedBy": {"IamIdentity": {"Arn": f"arn:aws:iam::{ACCOUNT}:user/scientist{version % 7}", "PrincipalId": "AIDA"}},
        "ModelPackageStatus": "Completed",
        "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
        "CertifyForMarketplace": False,
        "ModelApprovalStatus": chance.choice(["Approved", "Rejected", "PendingManualApproval"]),
        "InferenceSpecification": {
            "Containers": [
                {
                    "Image": "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3",
                    "ModelDataUrl": f"s3://ml-artifacts/{group}/{chance.getrandbits(128):032x}/model.tar.gz",
                    "Environment": {"SAGEMAKER_PROGRAM": "inference.py"},
                }
            ],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
        "ModelMetrics": {"ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": f"s3://m/{version}.json"}}},
        "CustomerMetadataProperties": {"team": group[:2], "dataset": f"{chance.getrandbits(48):012x}", "ticket": f"ML-{version}"},
    }


@pytest.mark.ours
def test_a_version_takes_about_a_kilobyte(tmp_path: Path) -> None:
    """The index of a realistic version, with three metrics and three metadata entries, stays under its budget on SQLite."""
    chance = random.Random(1)
    path = tmp_path / "modelyard.db"
    count = 1500
    with closing(open_storage(path)) as storage:
        migrate(storage, ["registry"])
    empty = path.stat().st_size
    with closing(open_storage(path)) as storage:
        for version in range(1, count + 1):
            document = realistic(version, chance)
            figures = {name: round(chance.random(), 6) for name in ("accuracy", "auc", "f1")}
            storage.write(
                lambda tx, document=document, figures=figures: search_store.index(
                    tx,
                    "ModelPackage",
                    ACCOUNT,
                    REGION,
                    document["ModelPackageArn"],
                    document,
                    {},
                    created=document["CreationTime"],
                    modified=document["CreationTime"],
                    metrics=figures,
                )
            )
    assert (path.stat().st_size - empty) / count <= MOST_BYTES


@pytest.mark.ours
@pytest.mark.parametrize("text", ["a", "é" * 32, '"', "x" * LONGEST_TEXT])
def test_short_texts_are_kept_as_they_are(text: str) -> None:
    """A text that fits is its own form in the index, so that the index knows its order and what is in it."""
    assert kept(text) == text and not is_digest(kept(text))


@pytest.mark.ours
@pytest.mark.parametrize("text", ["", " a", "!", "\x00", "a\x00b", "é" * 33, "x" * (LONGEST_TEXT + 1)])
def test_other_texts_are_kept_as_digests(text: str) -> None:
    """A long text, one that a database cannot hold, or one that would be taken for a digest has a short, storable form."""
    form = kept(text)
    assert is_digest(form) and len(form) < 16 and form.isascii() and "\x00" not in form
    assert form == kept(text) != kept(text + "x")


@pytest.mark.ours
def test_the_index_leaves_out_what_helps_no_search() -> None:
    """Names that are too long to ask for, shared values, contents and tags inside the document have no entries."""
    document = {
        "Name": "n",
        "Tags": [{"Key": "a", "Value": "b"}],
        "Content": "secret",
        "CertifyForMarketplace": False,
        "Inner": {"CreationTime": 5.0, "Containers": [{"Environment": {"K": "v"}, "Image": "i"}]},
        "Map": {"k" * 300: "v"},
    }
    found = entries(document, {"team": "x"}, {"accuracy": 0.5, "broken": float("nan"), "endless": float("inf")}, 7.0)
    assert found == {
        ("Name", "n"),
        ("Inner.CreationTime", 5.0),
        ("Inner.Containers.Image", "i"),
        ("Tags.team", "x"),
        ("Metrics.accuracy", 0.5),
        ("CreationTime", 7.0),
    }
    assert not is_indexed("Inner.Containers.Environment.K")


@pytest.mark.ours
def test_values_are_read_from_the_document_by_the_same_names() -> None:
    """A name leads to every value it is the path of, through lists, and through keys with dots."""
    document = {"a": {"b.c": "1", "b": {"c": True}}, "l": [{"x": 1}, {"x": [2, 3]}, {"y": 4}], "m": []}
    assert values_at(document, "a.b.c") == ["true", "1"]
    assert values_at(document, "l.x") == [1, 2, 3]
    assert values_at(document, "a.b") == values_at(document, "m") == values_at(document, "l.x.z") == []
    assert structures_at(document, "l") == document["l"]
    assert structures_at(document, "a.b") == [{"c": True}]


@pytest.mark.ours
def test_keys_are_stored_without_what_a_space_shares() -> None:
    """An ARN of the account and region is stored short and comes back whole; other keys stay as they are."""
    arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package/g/1"
    assert search_store.stored_key(arn, ACCOUNT, REGION) == "~model-package/g/1"
    assert search_store.given_key("~model-package/g/1", ACCOUNT, REGION) == arn
    assert search_store.stored_key("weather", ACCOUNT, REGION) == search_store.given_key("weather", ACCOUNT, REGION) == "weather"
