"""Scalable targets: registered, described, deregistered; their capacity is within their bounds."""

import json
from typing import Any

import pytest
from tests.contract.scaling.conftest import DIMENSION, Scaled, refused
from tests.harness import ACCOUNT, OTHER_ACCOUNT, user

ARN = f"arn:aws:application-autoscaling:us-east-1:{ACCOUNT}:scalable-target/"
ROLE = "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/sagemaker.application-autoscaling.amazonaws.com/{ROLE}"


def allowing(*actions: str) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}]})


@pytest.mark.documented
def test_a_target_is_registered_described_and_deregistered(resting: Scaled) -> None:
    """It has a role of the service's own, and members that were not given again stay as they were."""
    arn = resting.register(1, 4, Tags={"team": "rc"})
    assert arn.startswith(ARN)
    [shown] = resting.call("application-autoscaling", "DescribeScalableTargets", ServiceNamespace="sagemaker")["ScalableTargets"]
    expected: dict[str, Any] = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": resting.resource,
        "ScalableDimension": DIMENSION,
        "MinCapacity": 1,
        "MaxCapacity": 4,
        "RoleARN": ROLE_ARN,
        "CreationTime": resting.yard.clock.now(),
        "SuspendedState": {
            "DynamicScalingInSuspended": False,
            "DynamicScalingOutSuspended": False,
            "ScheduledScalingSuspended": False,
        },
        "ScalableTargetARN": arn,
    }
    assert shown == expected
    again = resting.scaling("RegisterScalableTarget", SuspendedState={"ScheduledScalingSuspended": True})
    assert again["ScalableTargetARN"] == arn
    chosen = {"ServiceNamespace": "sagemaker", "ResourceIds": [resting.resource], "ScalableDimension": DIMENSION}
    [shown] = resting.call("application-autoscaling", "DescribeScalableTargets", **chosen)["ScalableTargets"]
    assert shown == {**expected, "SuspendedState": {**expected["SuspendedState"], "ScheduledScalingSuspended": True}}
    assert resting.call("application-autoscaling", "ListTagsForResource", ResourceARN=arn)["Tags"] == {"team": "rc"}
    resting.call("application-autoscaling", "TagResource", ResourceARN=arn, Tags={"stage": "test"})
    resting.call("application-autoscaling", "UntagResource", ResourceARN=arn, TagKeys=["team"])
    assert resting.call("application-autoscaling", "ListTagsForResource", ResourceARN=arn)["Tags"] == {"stage": "test"}
    resting.scaling("DeregisterScalableTarget")
    with refused("ObjectNotFoundException", "No scalable target found for service namespace: sagemaker"):
        resting.scaling("DeregisterScalableTarget")
    with refused("ResourceNotFoundException"):
        resting.call("application-autoscaling", "ListTagsForResource", ResourceARN=arn)


@pytest.mark.documented
def test_a_capacity_is_put_within_its_bounds(scaled: Scaled) -> None:
    """A target below its minimum comes up to it, and one above its maximum goes down; what was done is told."""
    scaled.register(2, 4)
    scaled.turn()
    assert scaled.counts[0] == 2
    assert scaled.activities == [("Setting desired instance count to 2.", "minimum capacity was set to 2", "InProgress")]
    scaled.settle()
    assert scaled.counts == (2, 2)
    scaled.turn()
    assert scaled.activities[0][2] == "Successful"
    scaled.register(1, 1)
    scaled.turn()
    assert scaled.activities[0][:2] == ("Setting desired instance count to 1.", "maximum capacity was set to 1")
    scaled.settle()
    scaled.turn(60)
    assert scaled.counts == (1, 1)
    assert len(scaled.activities) == 2
    [deployment, *_] = scaled.call("modelyard", "ListEndpointDeployments", EndpointName=scaled.endpoint)["Deployments"]
    assert ROLE in json.dumps(deployment, default=str)


@pytest.mark.documented
def test_a_deployment_under_way_is_not_disturbed(scaled: Scaled) -> None:
    """While an endpoint is updated its capacity is left alone; afterwards it is set."""
    scaled.call("sagemaker", "UpdateEndpoint", EndpointName=scaled.endpoint, EndpointConfigName=scaled.endpoint)
    assert scaled.described["EndpointStatus"] == "Updating"
    scaled.register(3, 4)
    scaled.turn()
    scaled.turn(60)
    assert scaled.activities == []
    scaled.settle()
    scaled.turn(60)
    assert scaled.counts[0] == 3
    scaled.settle()


@pytest.mark.documented
def test_updates_keep_the_capacity_where_they_are_to(scaled: Scaled) -> None:
    """RetainAllVariantProperties keeps what scaling has set; without it the configuration counts."""
    scaled.register(2, 4)
    scaled.turn()
    scaled.settle()
    update = {"EndpointName": scaled.endpoint, "EndpointConfigName": scaled.endpoint}
    scaled.call("sagemaker", "UpdateEndpoint", RetainAllVariantProperties=True, **update)
    scaled.settle()
    assert scaled.counts == (2, 2)
    scaled.call("sagemaker", "UpdateEndpoint", **update)
    scaled.settle()
    assert scaled.counts == (1, 1)


@pytest.mark.seen
def test_a_variant_that_goes_is_not_scaled_any_more(scaled: Scaled) -> None:
    """An update does not remove it before it is deregistered; deleting its endpoint deregisters it, for who may do that."""
    scaled.register(1, 4)
    scaled.track("depth", 10)
    other = {
        "VariantName": "B",
        "ModelName": scaled.endpoint,
        "InitialInstanceCount": 1,
        "InstanceType": "ml.m5.large",
    }
    name = f"{scaled.endpoint}-b"
    scaled.call("sagemaker", "CreateEndpointConfig", EndpointConfigName=name, ProductionVariants=[other])
    with refused("ValidationException", r'^The variant\(s\) "A" must be deregistered as scalable targets'):
        scaled.call("sagemaker", "UpdateEndpoint", EndpointName=scaled.endpoint, EndpointConfigName=name)
    weak = user(ACCOUNT, "weak", allowing("sagemaker:*"))
    with refused("ValidationException", "An Application AutoScaling scalable target exists for a variant being deleted"):
        scaled.call("sagemaker", "DeleteEndpoint", weak, EndpointName=scaled.endpoint)
    assert scaled.described["EndpointStatus"] == "InService"
    some = ("sagemaker:*", "application-autoscaling:DeregisterScalableTarget")
    with refused("ValidationException", "does not have cloudwatch:DeleteAlarms permission"):
        scaled.call("sagemaker", "DeleteEndpoint", user(ACCOUNT, "some", allowing(*some)), EndpointName=scaled.endpoint)
    able = user(ACCOUNT, "able", allowing(*some, "cloudwatch:DeleteAlarms"))
    scaled.call("sagemaker", "DeleteEndpoint", able, EndpointName=scaled.endpoint)
    found = scaled.call("application-autoscaling", "DescribeScalableTargets", ServiceNamespace="sagemaker")
    assert found["ScalableTargets"] == []
    alarms = scaled.call("cloudwatch", "DescribeAlarms", AlarmNamePrefix=f"TargetTracking-{scaled.resource}")
    assert alarms["MetricAlarms"] == []


IMPOSSIBLE: list[tuple[dict[str, Any], str]] = [
    ({"MinCapacity": 1}, "MaxCapacity is required"),
    ({"MinCapacity": 3, "MaxCapacity": 2}, "greater than or equal"),
    ({"MinCapacity": -1, "MaxCapacity": 2}, "must not be negative"),
    ({"MinCapacity": 0, "MaxCapacity": 2}, "at least 1"),
    ({"ServiceNamespace": "ecs", "MinCapacity": 1, "MaxCapacity": 2}, "Unsupported service namespace"),
    ({"ScalableDimension": "ecs:service:DesiredCount", "MinCapacity": 1, "MaxCapacity": 2}, "Unsupported service"),
    ({"ResourceId": "endpoint/none/variant/A", "MinCapacity": 1, "MaxCapacity": 2}, "Could not find endpoint"),
    ({"ResourceId": "inference-component/none", "MinCapacity": 1, "MaxCapacity": 2}, "Unsupported service"),
]


@pytest.mark.documented
def test_what_cannot_be_scaled_is_refused(resting: Scaled) -> None:
    """Bounds that make no sense, and what is no variant of an endpoint here."""
    for request, words in IMPOSSIBLE:
        with refused("ValidationException", words):
            resting.scaling("RegisterScalableTarget", **request)
    other = {"ResourceId": f"endpoint/{resting.endpoint}/variant/B", "MinCapacity": 1, "MaxCapacity": 2}
    with refused("ValidationException", "has no variant"):
        resting.scaling("RegisterScalableTarget", **other)


@pytest.mark.documented
def test_who_may_not_scale_an_endpoint_may_not_have_it_scaled(resting: Scaled) -> None:
    """Beside the action of scaling a caller needs what scaling will do; other accounts see nothing."""
    bounds = {"MinCapacity": 1, "MaxCapacity": 2}
    weak = user(ACCOUNT, "weak", allowing("application-autoscaling:*"))
    with refused("AccessDeniedException", "sagemaker:DescribeEndpoint"):
        resting.scaling("RegisterScalableTarget", weak, **bounds)
    able = user(
        ACCOUNT,
        "able",
        allowing("application-autoscaling:*", "sagemaker:DescribeEndpoint", "sagemaker:UpdateEndpointWeightsAndCapacities"),
    )
    resting.scaling("RegisterScalableTarget", able, **bounds)
    with refused("AccessDeniedException", "cloudwatch:PutMetricAlarm"):
        resting.scaling("PutScalingPolicy", able, PolicyName="p")
    stranger = user(OTHER_ACCOUNT)
    request = {"ServiceNamespace": "sagemaker"}
    assert resting.call("application-autoscaling", "DescribeScalableTargets", stranger, **request)["ScalableTargets"] == []
    with refused("ObjectNotFoundException"):
        resting.scaling("DeregisterScalableTarget", stranger)


@pytest.mark.ours
def test_who_may_not_delete_alarms_may_not_have_them_deleted(resting: Scaled) -> None:
    """Those of a policy go when it is replaced and with its target: each needs what deleting it needs, if it has any."""
    resting.register(1, 2)
    may = ("application-autoscaling:*", "sagemaker:Describe*", "sagemaker:UpdateEndpointWeightsAndCapacities")
    weak = user(ACCOUNT, "weak", allowing(*may, "cloudwatch:PutMetricAlarm"))
    able = user(ACCOUNT, "able", allowing(*may, "cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms"))
    resting.track("depth", 10, by=weak)
    for ends in (
        lambda: resting.track("depth", 20, by=weak),
        lambda: resting.scaling("DeleteScalingPolicy", weak, PolicyName="depth"),
        lambda: resting.scaling("DeregisterScalableTarget", weak),
    ):
        with refused("AccessDeniedException", "cloudwatch:DeleteAlarms"):
            ends()
    resting.track("depth", 20, by=able)
    resting.scaling("DeleteScalingPolicy", able, PolicyName="depth")
    resting.scaling("DeregisterScalableTarget", weak)


@pytest.mark.documented
def test_lists_are_paged(resting: Scaled) -> None:
    """A token goes on where a page ends, in the list that it came from and in no other."""
    resting.register(1, 4)
    for number in range(3):
        resting.steps(f"p{number}", {"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1})
    names: list[str] = []
    request: dict[str, Any] = {"ServiceNamespace": "sagemaker", "ResourceId": resting.resource, "MaxResults": 2}
    while True:
        page = resting.call("application-autoscaling", "DescribeScalingPolicies", **request)
        names += [one["PolicyName"] for one in page["ScalingPolicies"]]
        if "NextToken" not in page:
            break
        request["NextToken"] = page["NextToken"]
    assert names == ["p0", "p1", "p2"]
    with refused("InvalidNextTokenException"):
        resting.call("application-autoscaling", "DescribeScalingActivities", **request)
    with refused("ValidationException", "MaxResults"):
        resting.call("application-autoscaling", "DescribeScalableTargets", ServiceNamespace="sagemaker", MaxResults=51)
