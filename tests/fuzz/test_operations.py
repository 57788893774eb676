"""Every operation, with requests made up from the service model: valid, broken in one place, and hostile."""

import re

import pytest
from hypothesis import given, note, reject, settings
from hypothesis import strategies as st
from tests.fuzz.answers import Refusal, checked
from tests.fuzz.conftest import FuzzedYard
from tests.fuzz.requests import Damage, Requests
from tests.fuzz.wire import CannotBeSent

from modelyard.dispatch.operation import table
from modelyard.server.composition import import_parts

import_parts()
pytestmark = [pytest.mark.ours, pytest.mark.slow]
OPERATIONS = sorted(table())
every_operation = pytest.mark.parametrize(("service", "operation"), OPERATIONS, ids=[f"{s}-{o}" for s, o in OPERATIONS])
PROFILE = settings.get_profile("fuzz")

ATTEMPTS = 3
"""How often a refused request is sent until none of the server's own work falls between."""
CONSTRAINT = re.compile(
    r"\d+ validation errors? detected: Value.* at '[^']*' failed to satisfy constraint: (Member|Map keys|Map value) must .+", re.S
)


def refused(fuzzed: FuzzedYard, service: str, operation: str, request: dict) -> Refusal | None:
    """Send a request; the error that it got, which must have changed nothing.

    The server's workers write as well, now and then: so what seems to have been written by a refused request is asked for again.
    """
    note(f"{service} {operation} {request!r}")
    for _ in range(ATTEMPTS):
        before = fuzzed.changes()
        try:
            answer = fuzzed.wire.call(service, operation, request)
        except CannotBeSent:
            reject()
        refusal = checked(answer, service, operation)
        if refusal is None or fuzzed.changes() == before:
            return refusal
    pytest.fail(f"refused, and yet something was written: {refusal}")


@every_operation
def test_valid_requests(fuzzed: FuzzedYard, service: str, operation: str):
    """A request that breaks no constraint is answered in time, soundly, and never refused for a constraint."""
    fuzzed.seeds.sow(service)
    requests = Requests(service, operation, fuzzed.seeds.known())

    @PROFILE
    @given(requests.valid())
    def check(request: dict) -> None:
        refusal = refused(fuzzed, service, operation, request)
        if refusal is not None and service != "s3":
            assert not CONSTRAINT.fullmatch(refusal.message), refusal
            assert refusal.code != "SerializationException", refusal

    check()


@every_operation
def test_broken_constraints(fuzzed: FuzzedYard, service: str, operation: str):
    """A request that breaks one constraint is refused in the words of AWS, and changes nothing."""
    fuzzed.seeds.sow(service)
    requests = Requests(service, operation, fuzzed.seeds.known())

    @PROFILE
    @given(requests.broken(requests))
    def check(made: tuple[dict, Damage]) -> None:
        request, damage = made
        note(repr(damage))
        refusal = refused(fuzzed, service, operation, request)
        if damage.kind == "nothing" or not tells(service, damage):
            return
        assert refusal is not None, "the request was accepted"
        if service == "sagemaker" and damage.kind == "type":
            assert refusal.code == "SerializationException", refusal
        elif service == "sagemaker":
            assert refusal.code == "ValidationException", refusal
            assert CONSTRAINT.fullmatch(refusal.message), refusal
            assert damage.wire_path in refusal.message
        elif service in ("iam", "sts"):
            assert refusal.code == "ValidationError", refusal
            assert CONSTRAINT.fullmatch(refusal.message), refusal

    check()


def tells(service: str, damage: Damage) -> bool:
    """Whether the damage can be seen on the wire: forms and headers have no types, and none of them an empty list."""
    if service == "sagemaker":
        return True
    if service == "s3":
        return damage.kind in ("enum", "range")
    return damage.kind not in ("type", "size")


@every_operation
def test_hostile_strings(fuzzed: FuzzedYard, service: str, operation: str):
    """Hostile strings, anywhere, are taken as text or refused; nothing breaks."""
    fuzzed.seeds.sow(service)
    requests = Requests(service, operation, fuzzed.seeds.known())

    @PROFILE
    @given(requests.hostile(requests))
    def check(request: dict) -> None:
        refused(fuzzed, service, operation, request)

    check()


@PROFILE
@given(st.sampled_from(OPERATIONS), st.data())
def test_operations_in_any_order(fuzzed: FuzzedYard, which: tuple[str, str], data: st.DataObject):
    """What one operation made does not break another."""
    for _ in range(8):
        service, operation = data.draw(st.sampled_from(OPERATIONS))
        request = data.draw(Requests(service, operation, fuzzed.seeds.known()).valid())
        refused(fuzzed, service, operation, request)
