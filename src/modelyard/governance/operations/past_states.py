"""What the versions of a group were like at a past time."""

from typing import Any

from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.events import history
from modelyard.events.history import PastState, package_group_key
from modelyard.governance.resources import group_arn, on_group

operation = operations_of("modelyard")
Request = dict[str, Any]

DEFAULT_SIZE = 100


@operation("GetStateAsOf", mode=Mode.SLOW_READ, permissions=on_group("GetStateAsOf"))
def get_state_as_of(context: Context, request: Request) -> Request:
    """The versions of a group as they were, those that are gone by now too."""
    arn = group_arn(context, request["ModelPackageGroupName"])
    name = arn.resource.partition("/")[2]
    key = package_group_key(arn.account, arn.region, name)
    time, size = request["Time"], request.get("MaxResults", DEFAULT_SIZE)
    fingerprint = {"operation": "GetStateAsOf", "group": key, "time": time}
    after = int(context.tokens.open(request["NextToken"], fingerprint)[0]) if "NextToken" in request else 0
    found = history.as_of(context.tx, key, time, after, size + 1)
    page = found[:size]
    prefix = f"arn:aws:sagemaker:{arn.region}:{arn.account}:model-package/{name.lower()}"
    versions = [_shown(f"{prefix}/{each.number}", each) for each in page if each.state is not None]
    answer: Request = {"ModelPackageGroupArn": str(arn), "Time": time, "Versions": versions}
    if len(found) > size:
        answer["NextToken"] = context.tokens.seal(fingerprint, [page[-1].number])
    return answer


def _shown(arn: str, past: PastState) -> Request:
    state = dict(past.state or {})
    by = state.pop("By", None)
    shown = {"ModelPackageArn": arn, "ModelPackageVersion": past.number, **state, "Since": past.since}
    return shown if by is None else {**shown, "ChangedBy": by}
