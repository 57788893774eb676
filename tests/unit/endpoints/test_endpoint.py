"""The states of an endpoint, its variants, and where requests go."""

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.endpoints import endpoint
from modelyard.endpoints.endpoint import IN_PROGRESS, Endpoint, Status, Variant, endpoint_at
from modelyard.endpoints.model import RuleBroken

AT = endpoint_at("111122223333", "us-east-1", "Fraud")
ARN = "arn:aws:sagemaker:us-east-1:111122223333:endpoint/fraud"
BLUE_GREEN = {"BlueGreenUpdatePolicy": {}}


def in_status(status: Status, **more: Any) -> Endpoint:
    return Endpoint(AT, status, "first", **more)


@pytest.mark.documented
@pytest.mark.parametrize(
    ("path", "serving"),
    [
        (["Creating", "InService", "Updating", "InService", "Deleting"], [False, True, True, True, False]),
        (["Creating", "Failed", "Deleting"], [False, False, False]),
        (["InService", "Updating", "RollingBack", "InService"], [True] * 4),
        (["InService", "Updating", "RollingBack", "UpdateRollbackFailed", "Updating"], [True] * 5),
        (["InService", "SystemUpdating", "InService", "OutOfService", "Deleting"], [True, True, True, False, False]),
    ],
)
def test_lives_of_endpoints(path: list[str], serving: list[bool]) -> None:
    """What comes after what, and when an endpoint can be invoked."""
    now = in_status(Status(path[0]))
    found = [now.is_serving]
    for status in path[1:]:
        now = endpoint.moved(now, Status(status))
        found.append(now.is_serving)
    assert found == serving


@pytest.mark.documented
def test_what_does_not_come_after_what() -> None:
    """A failed endpoint can only be deleted, a deleted one is gone, and nothing is made twice."""
    for status in Status:
        for start in (Status.FAILED, Status.DELETING):
            if (start, status) != (Status.FAILED, Status.DELETING):
                with pytest.raises(ValueError, match="does not go from"):
                    endpoint.moved(in_status(start), status)
        with pytest.raises(ValueError, match="to Creating"):
            endpoint.moved(in_status(status), Status.CREATING)


@pytest.mark.seen
@pytest.mark.parametrize(("status", "check"), [*product(Status, (endpoint.check_update, endpoint.check_deletion))])
def test_calls_while_something_is_in_progress(status: Status, check: Any) -> None:
    """Updates and deletions are refused with the same words; of what failed, updates alone."""
    if status in IN_PROGRESS:
        with pytest.raises(RuleBroken, match=f'^Cannot update in-progress endpoint "{ARN}".$'):
            check(in_status(status))
    elif status is Status.FAILED and check is endpoint.check_update:
        with pytest.raises(RuleBroken, match="it can only be deleted"):
            check(in_status(status))
    else:
        check(in_status(status))


@pytest.mark.seen
def test_an_update_that_fails_ends_on_the_configuration_before() -> None:
    """Until an update is done Describe shows the old configuration; a failure says why, and the next good update clears that."""
    begun = endpoint.updating(in_status(Status.IN_SERVICE), "second")
    assert (begun.status, begun.config_name, begun.pending_config) == (Status.UPDATING, "first", "second")
    failed = endpoint.updated(begun, "The image does not start.")
    assert failed == in_status(Status.IN_SERVICE, failure_reason="The image does not start.")
    again = endpoint.updating(failed, "third")
    assert again.failure_reason == "The image does not start."
    assert endpoint.updated(again) == Endpoint(AT, Status.IN_SERVICE, "third")
    with pytest.raises(RuleBroken, match="in-progress"):
        endpoint.updating(begun, "third")


@pytest.mark.documented
def test_creation_ends_in_service_or_failed() -> None:
    """A failed creation says why."""
    making = in_status(Status.CREATING)
    assert endpoint.created(making).status is Status.IN_SERVICE
    assert endpoint.created(making, "why") == in_status(Status.FAILED, failure_reason="why")


@pytest.mark.documented
def test_the_last_deployment_is_retained_on_request() -> None:
    """RetainDeploymentConfig takes the one before, unless the request has one; without it there is none."""
    with_one = endpoint.updated(endpoint.updating(in_status(Status.IN_SERVICE), "second", BLUE_GREEN))
    assert endpoint.updating(with_one, "third", retain=True).last_deployment == BLUE_GREEN
    assert endpoint.updating(with_one, "third", {}, retain=True).last_deployment == {}
    assert endpoint.updating(with_one, "third").last_deployment is None


@pytest.mark.documented
def test_variants_retain_their_counts_and_weights() -> None:
    """Those of the same name do, but for what is excluded; new ones begin as their configuration says."""
    config = {
        "ProductionVariants": [{"VariantName": "a", "InitialInstanceCount": 1}, {"VariantName": "s", "ServerlessConfig": {}}]
    }
    new = endpoint.variants_of(config)
    assert new == [Variant("a", 1.0, 1), Variant("s", 1.0, serverless={})]
    now = [Variant("a", 0.3, 5), Variant("b", 2.0, 2), Variant("s", 0.7, 4)]
    assert endpoint.retained(new, now) == [Variant("a", 0.3, 5), Variant("s", 0.7, serverless={})]
    assert endpoint.retained(new, now, ["DesiredWeight"])[0] == Variant("a", 1.0, 5)
    assert endpoint.retained(new, now, ["DesiredInstanceCount", "DataCaptureConfig"])[0] == Variant("a", 0.3, 1)
    assert endpoint.retained(new, [Variant("c", 9.0, 9)]) == new


@pytest.mark.seen
def test_weights_and_capacities_change() -> None:
    """What a request does not name stays; names that are not there or come twice are refused in AWS's words."""
    now = [Variant("a", 1.0, 1), Variant("b", 1.0, 2)]
    changes = [{"VariantName": "b", "DesiredWeight": 0.0, "DesiredInstanceCount": 7}]
    assert endpoint.reweighted(now, changes, "C") == [now[0], Variant("b", 0.0, 7)]
    assert endpoint.reweighted(now, [{"VariantName": "a", "DesiredWeight": 3.0}], "C")[0] == Variant("a", 3.0, 1)
    with pytest.raises(RuleBroken, match=r'^The variant name\(s\) "x, y" is/are not present within endpoint configuration "C".$'):
        endpoint.reweighted(now, [{"VariantName": "x"}, {"VariantName": "a"}, {"VariantName": "y"}], "C")
    with pytest.raises(RuleBroken, match=r'^The variant name "a" was non-unique within the request.$'):
        endpoint.reweighted(now, [{"VariantName": "a"}, {"VariantName": "a"}], "C")


@pytest.mark.documented
def test_serverless_variants_change_by_their_own_member() -> None:
    """Concurrency changes with ServerlessUpdateConfig, never with counts, and the other way round; it stays within its bounds."""
    config = {"MemorySizeInMB": 1024, "MaxConcurrency": 2}
    now = [Variant("s", 1.0, serverless=config)]
    assert (now[0].steady, now[0].first) == (0, 1)
    changed = [{"VariantName": "s", "ServerlessUpdateConfig": {"MaxConcurrency": 5, "ProvisionedConcurrency": 3}}]
    [after] = endpoint.reweighted(now, changed, "C")
    assert after.serverless == {"MemorySizeInMB": 1024, "MaxConcurrency": 5, "ProvisionedConcurrency": 3}
    assert (after.steady, after.first) == (3, 3)
    for wrong in ({"ServerlessUpdateConfig": {"ProvisionedConcurrency": 3}}, {"DesiredInstanceCount": 1}):
        with pytest.raises(RuleBroken):
            endpoint.reweighted(now, [{"VariantName": "s", **wrong}], "C")
    with pytest.raises(RuleBroken, match="is not a serverless one"):
        endpoint.reweighted([Variant("a", 1.0, 1)], [{**changed[0], "VariantName": "a"}], "C")


@pytest.mark.documented
@given(st.lists(st.floats(0, 100, allow_subnormal=False), min_size=1, max_size=10), st.floats(0, 1, exclude_max=True))
def test_requests_go_by_weight(weights: list[float], chance: float) -> None:
    """A request goes to a variant that has weight, and over all chances each gets its share."""
    variants = [Variant(str(index), weight) for index, weight in enumerate(weights)]
    if not any(weights):
        with pytest.raises(LookupError):
            endpoint.route(variants, chance)
        return
    assert weights[int(endpoint.route(variants, chance))] > 0


@pytest.mark.documented
def test_shares_are_those_of_the_weights() -> None:
    """Weights of 3, 0 and 1 are 75 %, nothing and 25 % of the requests."""
    variants = [Variant("a", 3.0), Variant("b", 0.0), Variant("c", 1.0)]
    routed = [endpoint.route(variants, tick / 1000) for tick in range(1000)]
    assert (routed.count("a"), routed.count("b"), routed.count("c")) == (750, 0, 250)
