"""Acting with no request of anybody's behind it: as a role that a service takes up, or as the service itself."""

from modelyard.access.permission import RequestFacts
from modelyard.access.policy import parse_policy
from modelyard.access.principal import Principal, PrincipalKind
from modelyard.access.roles import assumed_by_service
from modelyard.dispatch.context import Context
from modelyard.dispatch.dispatcher import Dispatcher

SAGEMAKER = "sagemaker.amazonaws.com"


class RoleUnusable(Exception):
    """A role is gone, or does not trust the service any more; the text says which."""


def _facts(dispatcher: Dispatcher, arn: str, service: str) -> RequestFacts:
    account, region = arn.split(":")[4], arn.split(":")[3]
    return RequestFacts(
        now=dispatcher.clock.now(),
        region=region,
        source_ip="",
        secure_transport=True,
        user_agent=service,
        signature_version="",
        source_arn=arn,
        source_account=account,
    )


def as_role(dispatcher: Dispatcher, arn: str, role: str, service: str = SAGEMAKER, session: str = "SageMaker") -> Context:
    """A context in which calls are those of a role, on behalf of the resource with this ARN. Raises RoleUnusable."""
    facts = _facts(dispatcher, arn, service)
    with dispatcher.storage.read() as tx:
        principal = assumed_by_service(tx, dispatcher.ids, role, service, session, facts)
    if principal is None:
        raise RoleUnusable(f"The role {role} cannot be assumed by {service}.")
    return _context(dispatcher, principal, facts, "")


def as_service(dispatcher: Dispatcher, arn: str, name: str, policy: str, operation: str = "") -> Context:
    """A context in which calls are those of a service, in the account of the resource with this ARN: it may do what the policy
    (a document) allows. `operation` is what the calls are recorded to be part of."""
    facts = _facts(dispatcher, arn, SAGEMAKER)
    account, role = arn.split(":")[4], f"AWSServiceRoleForSageMaker/{name}"
    principal = Principal(
        arn=f"arn:aws:sts::{account}:assumed-role/{role}",
        account=account,
        kind=PrincipalKind.ASSUMED_ROLE,
        unique_id=f"AROASAGEMAKERSERVICE:{account}",
        name=role,
        policies=(parse_policy(policy),),
    )
    return _context(dispatcher, principal, facts, operation)


def _context(dispatcher: Dispatcher, principal: Principal, facts: RequestFacts, operation: str) -> Context:
    return Context(
        principal=principal,
        facts=facts,
        request_id=dispatcher.ids.request_id(),
        ids=dispatcher.ids,
        storage=dispatcher.storage,
        blobs=dispatcher.blobs,
        settings=dispatcher.settings,
        tokens=dispatcher.tokens,
        dispatcher=dispatcher,
        operation=operation,
    )
