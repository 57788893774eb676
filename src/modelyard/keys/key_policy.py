"""What a key's policy must be, beyond what every policy must be."""

from modelyard.access.evaluation import decide
from modelyard.access.permission import Permission, Resource
from modelyard.access.policy import MalformedPolicy, PolicyKind, parse_policy
from modelyard.dispatch.context import Context
from modelyard.keys.failures import failure
from modelyard.keys.permissions import caller_conditions

LARGEST = 32 * 1024
"""Characters."""


def check(context: Context, arn: str, text: str, *, bypass: bool) -> None:
    """Raise AwsError for a text that is no policy, and unless `bypass` for one that locks its author out of changing it again."""
    if len(text) > LARGEST:
        raise failure("LimitExceededException", f"The key policy is longer than {LARGEST} characters.")
    try:
        parse_policy(text, PolicyKind.RESOURCE)
    except MalformedPolicy as error:
        raise failure("MalformedPolicyDocumentException", str(error)) from None
    if bypass:
        return
    again = Permission("kms:PutKeyPolicy", Resource(arn, context.account, policy=text), caller_conditions(context))
    if not decide(context.principal, again, context.facts).allowed:
        raise failure(
            "MalformedPolicyDocumentException", "The new key policy will not allow you to update the key policy in the future."
        )
