"""Acting for functions: as the role that a function runs under, with no request of anybody's behind it."""

from contextlib import nullcontext

from modelyard.access import store as identities
from modelyard.access.permission import RequestFacts
from modelyard.access.principal import Principal
from modelyard.access.roles import assumed_by_service, service_may_assume
from modelyard.access.sessions import SessionCredentials, issue, new_session
from modelyard.aws.errors import AwsError
from modelyard.dispatch.context import Context
from modelyard.dispatch.dispatcher import Dispatcher
from modelyard.functions.function import Version
from modelyard.functions.permissions import LAMBDA_PRINCIPAL
from modelyard.storage.interface import Transaction

SESSION_SECONDS = 3 * 3600.0
"""How long the credentials in a function's environment last; environments are ended well before."""


class RoleUnusable(AwsError):
    """The role of a function is gone, or does not trust Lambda any more."""

    code = "AccessDeniedException"
    status = 403


def _facts(dispatcher: Dispatcher, version: Version) -> RequestFacts:
    return RequestFacts(
        now=dispatcher.clock.now(),
        region=version.at.region,
        source_ip="",
        secure_transport=True,
        user_agent=LAMBDA_PRINCIPAL,
        signature_version="",
        source_arn=version.at.arn,
        source_account=version.at.account,
    )


def _principal(dispatcher: Dispatcher, tx: Transaction, version: Version, facts: RequestFacts) -> Principal:
    assumed = assumed_by_service(tx, dispatcher.ids, version.role, LAMBDA_PRINCIPAL, version.at.name, facts)
    if assumed is None:
        raise RoleUnusable("The role defined for the function cannot be assumed by Lambda.")
    return assumed


def context_of(dispatcher: Dispatcher, version: Version, tx: Transaction | None = None) -> Context:
    """A context in which calls are the function's own, in a transaction or outside any. Raises RoleUnusable."""
    facts = _facts(dispatcher, version)
    with nullcontext(tx) if tx is not None else dispatcher.storage.read() as snapshot:
        principal = _principal(dispatcher, snapshot, version, facts)
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
        transaction=tx,
    )


def credentials_of(dispatcher: Dispatcher, version: Version) -> SessionCredentials:
    """Temporary credentials of the function's role. Raises RoleUnusable."""
    facts = _facts(dispatcher, version)
    with dispatcher.storage.read() as tx:
        role = identities.identity_by_arn(tx, version.role)
        if role is None or not service_may_assume(tx, version.role, LAMBDA_PRINCIPAL, facts):
            raise RoleUnusable("The role defined for the function cannot be assumed by Lambda.")
    session = new_session(
        dispatcher.ids,
        account=role.account,
        identity=role.id,
        issued_at=facts.now,
        expires_at=facts.now + SESSION_SECONDS,
        session_name=version.at.name,
    )
    return issue(dispatcher.authenticator.key_ring, session)
