"""Which packages are to be validated: noted with their registration, and forgotten with them."""

from typing import Any

from modelyard.dispatch.context import Context
from modelyard.dispatch.registered import VALIDATIONS
from modelyard.ids import LOWER_AND_DIGITS
from modelyard.registry import store_validations, validation
from modelyard.registry.validation import State, Validation

Request = dict[str, Any]


def begin(context: Context, package_id: int, arn: str, document: Request) -> None:
    """Note that a new package is to be validated, if it is."""
    profile = validation.profile_of(document)
    if profile is not None:
        one = Validation(
            package_id=package_id,
            arn=arn,
            name=VALIDATIONS + context.ids.text(LOWER_AND_DIGITS, 16),
            profile=profile["ProfileName"],
            role=document["ValidationSpecification"]["ValidationRole"],
            definition=profile["TransformJobDefinition"],
            state=State.NOT_STARTED,
        )
        store_validations.add(context.tx, one)


def abandon(context: Context, package_id: int) -> None:
    """A package goes, and with it what validates it."""
    store_validations.put_state(context.tx, package_id, State.ABANDONED)
