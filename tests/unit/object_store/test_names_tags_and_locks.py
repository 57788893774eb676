"""Names of buckets, tags, object lock, and the parts of an upload."""

import pytest

from modelyard.object_store import tagging
from modelyard.object_store.bucket import is_valid_name, owner
from modelyard.object_store.retention import COMPLIANCE, GOVERNANCE, Lock, default_lock
from modelyard.object_store.upload import SMALLEST_PART, NamedPart, PartsDoNotFit, UploadedPart, chosen

NOW = 1_700_000_000.0


@pytest.mark.documented
@pytest.mark.parametrize("name", ["abc", "a-b.c", "0bucket9", "a" * 63, "sagemaker-us-east-1-111122223333"])
def test_good_names(name: str) -> None:
    """S3's rules let these names through."""
    assert is_valid_name(name)


@pytest.mark.documented
@pytest.mark.parametrize(
    "name",
    [
        "",
        "ab",
        "a" * 64,
        "Abc",
        "a_b",
        "-ab",
        "ab-",
        ".ab",
        "a..b",
        "192.168.1.1",
        "xn--abc",
        "sthree-x",
        "a-s3alias",
        "a/b",
        "ä" * 3,
        "amzn-s3-demo-x",
        "x--ol-s3",
        "a b c",
        "abc\n",
        "x--x-s3",
    ],
)
def test_bad_names(name: str) -> None:
    """S3's rules refuse these names."""
    assert not is_valid_name(name)


@pytest.mark.ours
def test_owners_are_told_apart() -> None:
    """An account always has the same canonical id, of 64 digits, and another account another."""
    assert owner("111122223333") == owner("111122223333") != owner("444455556666")
    assert len(owner("111122223333")["ID"]) == 64


@pytest.mark.documented
def test_tags_in_a_header() -> None:
    """The tagging header has the form of a query string, and comes back as it was."""
    tags = tagging.from_header("team=risk&free%20text=a%2Bb&empty=")
    assert tags == {"team": "risk", "free text": "a+b", "empty": ""}
    assert tagging.from_header(tagging.to_header(tags)) == tags
    assert tagging.from_header("") == {}


@pytest.mark.documented
@pytest.mark.parametrize(
    ("pairs", "sentence"),
    [
        ([("", "x")], "TagKey"),
        ([("k" * 129, "x")], "TagKey"),
        ([("k", "v" * 257)], "TagValue"),
        ([("k<", "v")], "TagKey"),
        ([("aws:k", "v")], "System tags"),
        ([("k", "1"), ("k", "2")], "same key"),
        ([(f"k{number}", "") for number in range(11)], "cannot be greater than 10"),
    ],
)
def test_tags_that_s3_refuses(pairs: list[tuple[str, str]], sentence: str) -> None:
    """Tags that are too long, too many, reserved or given twice are refused in S3's words."""
    with pytest.raises(tagging.InvalidTags, match=sentence):
        tagging.from_list([{"Key": key, "Value": value} for key, value in pairs], tagging.MOST_OF_OBJECT)


@pytest.mark.documented
def test_who_may_delete_a_locked_version() -> None:
    """Governance may be bypassed, compliance and legal hold may not, and all but the hold end with time."""
    governed, complied = Lock(GOVERNANCE, NOW + 10), Lock(COMPLIANCE, NOW + 10)
    assert governed.forbids_deletion(NOW, bypass=False)
    assert not governed.forbids_deletion(NOW, bypass=True)
    assert complied.forbids_deletion(NOW, bypass=True)
    assert not complied.forbids_deletion(NOW + 11, bypass=False)
    assert Lock(legal_hold=True).forbids_deletion(NOW + 1e9, bypass=True)


@pytest.mark.documented
def test_a_retention_becomes_only_stricter() -> None:
    """A retention in force may be prolonged or turned to compliance, not shortened or taken away."""
    governed, complied = Lock(GOVERNANCE, NOW + 10), Lock(COMPLIANCE, NOW + 10)
    assert not governed.forbids(Lock(GOVERNANCE, NOW + 20), NOW, bypass=False)
    assert not governed.forbids(Lock(COMPLIANCE, NOW + 10), NOW, bypass=False)
    assert governed.forbids(Lock(GOVERNANCE, NOW + 5), NOW, bypass=False)
    assert governed.forbids(Lock(), NOW, bypass=False)
    assert not governed.forbids(Lock(), NOW, bypass=True)
    assert complied.forbids(Lock(GOVERNANCE, NOW + 20), NOW, bypass=True)
    assert not complied.forbids(Lock(COMPLIANCE, NOW + 20), NOW, bypass=False)
    assert default_lock(GOVERNANCE, 1, 0, NOW) == Lock(GOVERNANCE, NOW + 86_400)


def part(number: int, size: int = SMALLEST_PART) -> UploadedPart:
    return UploadedPart(number, size, f"etag{number}", f"sha256:{number}", f"crc{number}", NOW)


@pytest.mark.documented
@pytest.mark.parametrize(
    ("named", "code"),
    [
        ([NamedPart(2, "etag2", None), NamedPart(1, "etag1", None)], "InvalidPartOrder"),
        ([NamedPart(1, "etag1", None), NamedPart(1, "etag1", None)], "InvalidPartOrder"),
        ([NamedPart(4, "etag4", None)], "InvalidPart"),
        ([NamedPart(1, "other", None)], "InvalidPart"),
        ([NamedPart(1, "etag1", "crc9")], "InvalidPart"),
        ([NamedPart(1, "etag1", None), NamedPart(3, "etag3", None), NamedPart(5, "etag5", None)], "EntityTooSmall"),
    ],
)
def test_parts_that_make_no_object(named: list[NamedPart], code: str) -> None:
    """Parts out of order, unknown, changed, or too small before the last are refused with S3's codes."""
    uploaded = {1: part(1), 2: part(2), 3: part(3, 100), 5: part(5)}
    with pytest.raises(PartsDoNotFit) as refused:
        chosen(named, uploaded)
    assert refused.value.code == code


@pytest.mark.documented
def test_parts_that_make_an_object() -> None:
    """Numbers may have gaps, and the last part may be small."""
    uploaded = {1: part(1), 2: part(2), 3: part(3, 100)}
    named = [NamedPart(1, "etag1", "crc1"), NamedPart(3, "etag3", None)]
    assert [one.number for one in chosen(named, uploaded)] == [1, 3]
