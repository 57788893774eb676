"""Conditional headers."""

import pytest

from modelyard.object_store.preconditions import Verdict, of_copy_source, of_read, of_write

THEN = 1_700_000_000.5
BEFORE, AFTER = 1_600_000_000.0, 1_800_000_000.0


@pytest.mark.documented
@pytest.mark.parametrize(
    ("request_", "verdict"),
    [
        ({}, Verdict.HOLD),
        ({"IfMatch": '"tag"'}, Verdict.HOLD),
        ({"IfMatch": "tag"}, Verdict.HOLD),
        ({"IfMatch": "*"}, Verdict.HOLD),
        ({"IfMatch": '"x", "tag"'}, Verdict.HOLD),
        ({"IfMatch": '"x"'}, Verdict.FAILED),
        ({"IfNoneMatch": '"tag"'}, Verdict.NOT_MODIFIED),
        ({"IfNoneMatch": "*"}, Verdict.NOT_MODIFIED),
        ({"IfNoneMatch": '"x"'}, Verdict.HOLD),
        ({"IfModifiedSince": BEFORE}, Verdict.HOLD),
        ({"IfModifiedSince": AFTER}, Verdict.NOT_MODIFIED),
        ({"IfModifiedSince": float(int(THEN))}, Verdict.NOT_MODIFIED),
        ({"IfUnmodifiedSince": AFTER}, Verdict.HOLD),
        ({"IfUnmodifiedSince": BEFORE}, Verdict.FAILED),
        ({"IfUnmodifiedSince": float(int(THEN))}, Verdict.HOLD),
        ({"IfMatch": '"tag"', "IfUnmodifiedSince": BEFORE}, Verdict.HOLD),
        ({"IfNoneMatch": '"x"', "IfModifiedSince": AFTER}, Verdict.HOLD),
        ({"IfNoneMatch": '"tag"', "IfModifiedSince": BEFORE}, Verdict.NOT_MODIFIED),
        ({"IfMatch": '"x"', "IfNoneMatch": '"tag"'}, Verdict.FAILED),
    ],
)
def test_reads(request_: dict[str, object], verdict: Verdict) -> None:
    """Reads obey the four headers, tags before dates, as S3 documents for GetObject."""
    assert of_read(request_, "tag", THEN).verdict is verdict


@pytest.mark.documented
def test_a_copy_fails_where_a_read_says_not_modified() -> None:
    """x-amz-copy-source-if-none-match that matches is a failed precondition."""
    outcome = of_copy_source({"CopySourceIfNoneMatch": '"tag"'}, "tag", THEN)
    assert outcome.verdict is Verdict.FAILED
    assert outcome.header == "x-amz-copy-source-If-None-Match"
    assert of_copy_source({"IfNoneMatch": '"tag"'}, "tag", THEN).verdict is Verdict.HOLD


@pytest.mark.documented
@pytest.mark.parametrize(
    ("request_", "current", "verdict"),
    [
        ({"IfNoneMatch": "*"}, None, Verdict.HOLD),
        ({"IfNoneMatch": "*"}, "tag", Verdict.FAILED),
        ({"IfMatch": '"tag"'}, "tag", Verdict.HOLD),
        ({"IfMatch": '"tag"'}, "other", Verdict.FAILED),
        ({"IfMatch": '"tag"'}, None, Verdict.MISSING),
    ],
)
def test_writes(request_: dict[str, str], current: str | None, verdict: Verdict) -> None:
    """If-None-Match: * writes only where nothing is; If-Match only over the object that the caller knows."""
    assert of_write(request_, current).verdict is verdict
