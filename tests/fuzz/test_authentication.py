"""Who may not come in, over HTTP: unsigned, wrongly signed, expired, replayed; and tokens that are used twice."""

import itertools
import json
import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fuzz.answers import Refusal, checked
from tests.fuzz.conftest import FuzzedYard
from tests.fuzz.hostile import HOSTILE
from tests.fuzz.requests import host_of
from tests.fuzz.wire import Answer, Message, message_of, sign
from tests.unit.aws.samples import Samples

from modelyard.aws.models import extra_services, installed_models, own_models, read_model
from modelyard.aws.services import KNOWN
from modelyard.dispatch.operation import table
from modelyard.server.composition import import_parts

import_parts()
pytestmark = [pytest.mark.ours, pytest.mark.slow]
PROFILE = settings.get_profile("fuzz")
SMALLEST = {
    "sagemaker": ("CreateModelPackageGroup", {"ModelPackageGroupName": "never"}),
    "s3": ("PutObject", {"Bucket": "fuzz-bucket", "Key": "never", "Body": b"never"}),
    "iam": ("CreateUser", {"UserName": "never"}),
    "sts": ("GetCallerIdentity", {}),
}
every_service = pytest.mark.parametrize("service", sorted(SMALLEST))


def message(service: str) -> Message:
    """A request that would be granted to the administrator."""
    return message_of(service, *SMALLEST[service])


def turned_away(fuzzed: FuzzedYard, answer: Answer, service: str) -> Refusal:
    """The refusal, which changed nothing."""
    refusal = checked(answer, service)
    assert refusal is not None, answer
    assert refusal.status in ((400, 403, 405) if service == "any" else (400, 403)), refusal
    return refusal


def smallest_request(service: str, operation: str) -> dict:
    """A request of the required members alone."""
    model = next(
        read_model(directory, one)
        for directory, services in ((installed_models(), KNOWN), (own_models(), extra_services(own_models())))
        for one in services
        if one.name == service
    )
    definition = model.operations[operation]
    return Samples(model).smallest(model.shape(definition["input"])) if "input" in definition else {}


@pytest.mark.parametrize(("service", "operation"), sorted(table()))
def test_no_operation_answers_the_unsigned(fuzzed: FuzzedYard, service: str, operation: str):
    """Without a signature no operation does anything, or says what exists."""
    fuzzed.seeds.sow(service)
    smallest = smallest_request(service, operation)
    unsigned = message_of(service, operation, {**smallest, "Bucket": "fuzz-bucket"} if "Bucket" in smallest else smallest)
    unsigned.headers["host"] = host_of(service).encode()
    unchanged = False
    for _ in range(3):  # the server's workers write as well, now and then
        before = fuzzed.changes()
        turned_away(fuzzed, fuzzed.wire.deliver(unsigned), service)
        unchanged = unchanged or fuzzed.changes() == before
    assert unchanged


@every_service
def test_wrong_secrets_and_keys(fuzzed: FuzzedYard, service: str):
    """A signature by another secret, by a key that is not there, or with a token that nobody issued is refused."""
    key = fuzzed.wire.credentials
    wrong = [
        replace(key, secret_access_key=key.secret_access_key[:-1] + "x"),
        replace(key, secret_access_key=""),
        replace(key, access_key_id="AKIAIOSFODNN7EXAMPLE"),
        replace(key, access_key_id=key.access_key_id.lower()),
        replace(key, session_token="made up"),
    ]
    before = fuzzed.changes()
    for credentials in wrong:
        turned_away(fuzzed, fuzzed.wire.send(message(service), service, credentials=credentials), service)
    assert fuzzed.changes() == before


@every_service
@pytest.mark.parametrize("minutes", [-24 * 60, -16, 16, 24 * 60 * 365])
def test_clocks_that_are_wrong(fuzzed: FuzzedYard, service: str, minutes: int):
    """A signature that is more than fifteen minutes old, or from the future, is refused."""
    before = fuzzed.changes()
    turned_away(fuzzed, fuzzed.wire.send(message(service), service, at=time.time() + minutes * 60), service)
    assert fuzzed.changes() == before


@pytest.mark.parametrize(("service", "other"), list(itertools.permutations(sorted(SMALLEST), 2)))
def test_signatures_for_another_service(fuzzed: FuzzedYard, service: str, other: str):
    """A signature that was made for one service opens no other."""
    before = fuzzed.changes()
    made = message(service)
    made.headers["host"] = f"127.0.0.1:{fuzzed.port}".encode()
    sign(made, fuzzed.wire.credentials, other)
    turned_away(fuzzed, fuzzed.wire.deliver(made), "any")
    assert fuzzed.changes() == before


@every_service
@pytest.mark.parametrize("changed", ["body", "path", "query", "method", "header", "date"])
def test_requests_changed_after_they_were_signed(fuzzed: FuzzedYard, service: str, changed: str):
    """Whatever is changed on the way, the signature does not fit any more."""
    made = message(service)
    made.headers["host"] = f"127.0.0.1:{fuzzed.port}".encode()
    sign(made, fuzzed.wire.credentials, service)
    match changed:
        case "body":
            made.body += b" "
        case "path":
            made.path += "x"
        case "query":
            made.query += "&x=1" if made.query else "x=1"
        case "method":
            made.method = "PUT" if made.method == "POST" else "DELETE"
        case "header":
            made.headers["host"] = b"localhost"
        case _:
            made.headers["x-amz-date"] = b"20200101T000000Z"
    before = fuzzed.changes()
    refusal = checked(fuzzed.wire.deliver(made), "any")
    assert refusal is not None
    assert fuzzed.changes() == before


@PROFILE
@given(st.sampled_from(sorted(SMALLEST)), HOSTILE, st.sampled_from(["whole", "key", "scope", "headers", "signature"]))
def test_authorisation_headers(fuzzed: FuzzedYard, service: str, text: str, part: str):
    """Hostile Authorization headers are refused."""
    value = "".join(letter for letter in text if letter.isprintable())[:4000]
    made = message(service)
    made.headers["host"] = f"127.0.0.1:{fuzzed.port}".encode()
    sign(made, fuzzed.wire.credentials, service)
    header = made.headers["authorization"].decode()
    key = fuzzed.wire.credentials.access_key_id
    changed = {
        "whole": value,
        "key": header.replace(key, value),
        "scope": header.replace("us-east-1", value),
        "headers": header.replace("SignedHeaders=host", f"SignedHeaders={value};host"),
        "signature": header.partition("Signature=")[0] + f"Signature={value}",
    }[part]
    if changed == header:
        return
    made.headers["authorization"] = changed.encode()
    before = fuzzed.changes()
    refusal = checked(fuzzed.wire.deliver(made), service)
    assert refusal is not None
    assert fuzzed.changes() == before


PRESIGNED = "&".join(
    [
        "X-Amz-Algorithm=AWS4-HMAC-SHA256",
        *(f"X-Amz-{name}={{0}}" for name in ("Credential", "Date", "Expires", "SignedHeaders", "Signature")),
    ]
)


@pytest.mark.parametrize("text", ["", "%00", "x", "%ff", "1e9", "-1", "a/b/c/d/e", "9" * 500, "%0d%0aX-Injected:%20yes"])
def test_links(fuzzed: FuzzedYard, text: str):
    """Links with nonsense in them are refused, of both versions."""
    fuzzed.seeds.sow("s3")
    for query in (PRESIGNED.format(text), f"AWSAccessKeyId={text}&Signature={text}&Expires={text}"):
        turned_away(fuzzed, fuzzed.wire.deliver(Message("GET", "/fuzz-bucket/object", query)), "s3")


def register(fuzzed: FuzzedYard, **changes: object) -> Answer:
    """Register a version with a ClientToken."""
    return fuzzed.wire.call(
        "sagemaker", "CreateModelPackage", {"ModelPackageGroupName": "fuzz-group", "ClientToken": "one-token", **changes}
    )


def test_one_token_for_two_requests(fuzzed: FuzzedYard):
    """A ClientToken gives one version, the same again when repeated, and a refusal that takes no number with another request."""
    fuzzed.seeds.sow("sagemaker")
    first = register(fuzzed, ModelPackageDescription="one")
    assert first.status == 200, first
    before = fuzzed.changes()
    assert register(fuzzed, ModelPackageDescription="one").body == first.body
    refusal = checked(register(fuzzed, ModelPackageDescription="two"), "sagemaker")
    assert refusal is not None and refusal.code == "ConflictException"
    assert fuzzed.changes() == before
    following = json.loads(register(fuzzed, ClientToken="another-token").body)["ModelPackageArn"]
    assert number(following) == number(json.loads(first.body)["ModelPackageArn"]) + 1


def number(arn: str) -> int:
    return int(arn.rpartition("/")[2])
