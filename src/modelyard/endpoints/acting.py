"""Acting for endpoints: as the execution role of a model, with no request of anybody's behind it."""

import json

from modelyard.access import store as identities
from modelyard.access.permission import RequestFacts
from modelyard.access.policy import parse_policy
from modelyard.access.principal import Principal, PrincipalKind
from modelyard.access.roles import assumed_by_service, service_may_assume
from modelyard.access.sessions import SessionCredentials, issue, new_session
from modelyard.dispatch.context import Context
from modelyard.dispatch.dispatcher import Dispatcher
from modelyard.endpoints.model import Name
from modelyard.endpoints.permissions import SERVICE

CREDENTIALS_SECONDS = 3600.0
_OWN_POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "cloudwatch:DescribeAlarms"],
                "Resource": "*",
            },
            {"Effect": "Allow", "Action": "application-autoscaling:DescribeScalableTargets", "Resource": "*"},
        ],
    }
)


class RoleUnusable(Exception):
    """The execution role is gone, or does not trust SageMaker any more."""


def _facts(dispatcher: Dispatcher, at: Name) -> RequestFacts:
    return RequestFacts(
        now=dispatcher.clock.now(),
        region=at.region,
        source_ip="",
        secure_transport=True,
        user_agent=SERVICE,
        signature_version="",
        source_arn=at.arn,
        source_account=at.account,
    )


def service(account: str) -> Principal:
    """SageMaker itself in an account, for what runs under no role: it writes logs, reads alarms and what is scaled, no more."""
    name = "AWSServiceRoleForSageMaker/endpoints"
    return Principal(
        arn=f"arn:aws:sts::{account}:assumed-role/{name}",
        account=account,
        kind=PrincipalKind.ASSUMED_ROLE,
        unique_id=f"AROASAGEMAKERSERVICE:{account}",
        name=name,
        policies=(parse_policy(_OWN_POLICY),),
    )


def context_of(dispatcher: Dispatcher, at: Name, role: str | None) -> Context:
    """A context in which calls are those of an endpoint's role, or of the service where there is none. Raises RoleUnusable."""
    facts = _facts(dispatcher, at)
    principal: Principal | None = service(at.account)
    if role is not None:
        with dispatcher.storage.read() as tx:
            principal = assumed_by_service(tx, dispatcher.ids, role, SERVICE, "SageMaker", facts)
    if principal is None:
        raise RoleUnusable(f"The role {role} cannot be assumed by {SERVICE}.")
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
    )


def credentials_of(dispatcher: Dispatcher, at: Name, role_arn: str) -> SessionCredentials:
    """Temporary credentials of an execution role. Raises RoleUnusable."""
    facts = _facts(dispatcher, at)
    with dispatcher.storage.read() as tx:
        role = identities.identity_by_arn(tx, role_arn)
        if role is None or not service_may_assume(tx, role_arn, SERVICE, facts):
            raise RoleUnusable(f"The role {role_arn} cannot be assumed by {SERVICE}.")
    session = new_session(
        dispatcher.ids,
        account=role.account,
        identity=role.id,
        issued_at=facts.now,
        expires_at=facts.now + CREDENTIALS_SECONDS,
        session_name="SageMaker",
    )
    return issue(dispatcher.authenticator.key_ring, session)
