"""Roles as other parts see them: passing one to a service, and whether the service may take it up."""

from dataclasses import replace

from modelyard.access import store
from modelyard.access.credentials import role_principal
from modelyard.access.evaluation import decide
from modelyard.access.identities import DEFAULT_SESSION_SECONDS
from modelyard.access.permission import Permission, RequestFacts, Resource
from modelyard.access.principal import Principal, PrincipalKind
from modelyard.access.sessions import new_session
from modelyard.ids import Ids
from modelyard.storage.interface import Transaction


def pass_role(tx: Transaction, role_arn: str, service: str) -> Permission:
    """The permission to hand a role to `service` (`sagemaker.amazonaws.com`), which every operation that takes a role needs."""
    role = store.identity_by_arn(tx, role_arn)
    account = role_arn.split(":", 5)[4] if role_arn.count(":") >= 5 else ""
    resource = Resource(role_arn, account, role.tags if role else {})
    return Permission("iam:PassRole", resource, {"iam:PassedToService": service})


def service_may_assume(tx: Transaction, role_arn: str, service: str, facts: RequestFacts) -> bool:
    """Whether the role exists and its trust policy lets `service` assume it."""
    role = store.identity_by_arn(tx, role_arn)
    if role is None:
        return False
    caller = Principal(arn=service, account="", kind=PrincipalKind.SERVICE, unique_id=service, name=service)
    resource = Resource(role.arn, role.account, role.tags, role.trust_policy)
    return decide(caller, Permission("sts:AssumeRole", resource), facts).allowed


def service_could_assume(tx: Transaction, role_arn: str, service: str, facts: RequestFacts, source_arn: str) -> bool:
    """The same of what will be done later, for what `source_arn` names."""
    return service_may_assume(tx, role_arn, service, facts_of_service(facts, service, source_arn))


def facts_of_service(facts: RequestFacts, service: str, source_arn: str) -> RequestFacts:
    """A request as `service` will make it for what `source_arn` names, which trust policies ask for against confused deputies."""
    return replace(facts, source_ip="", user_agent=service, source_arn=source_arn, source_account=source_arn.split(":")[4])


def assumed_by_service(
    tx: Transaction, ids: Ids, role_arn: str, service: str, session_name: str, facts: RequestFacts
) -> Principal | None:
    """The role as `service` acts by it; None when there is no such role, or its trust policy does not let the service."""
    role = store.identity_by_arn(tx, role_arn)
    if role is None or not service_may_assume(tx, role_arn, service, facts):
        return None
    session = new_session(
        ids,
        account=role.account,
        identity=role.id,
        issued_at=facts.now,
        expires_at=facts.now + DEFAULT_SESSION_SECONDS,
        session_name=session_name,
    )
    return role_principal(tx, role, session)
