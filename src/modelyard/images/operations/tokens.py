"""Authorization tokens: what a container client logs in to a registry with."""

import base64
from collections.abc import Iterable

import orjson

from modelyard.access.permission import Permission, Resource
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, Request, operations_of
from modelyard.images.repository import registry_host

operation = operations_of("ecr")

PURPOSE = "ecr authorization token"
LIFETIME_SECONDS = 12 * 3600.0


def _asking(context: Context, _request: Request) -> Iterable[Permission]:
    yield Permission("ecr:GetAuthorizationToken", Resource("*", context.account))


@operation("GetAuthorizationToken", mode=Mode.READ, permissions=_asking)
def get_authorization_token(context: Context, request: Request) -> Request:
    """User name and password for twelve hours, which say, sealed, whose they are."""
    expires = context.now + LIFETIME_SECONDS
    content = orjson.dumps({"account": context.account, "principal": context.principal.arn, "expires": expires})
    password = base64.b64encode(context.dispatcher.authenticator.key_ring.seal(content, PURPOSE))
    token = base64.b64encode(b"AWS:" + password).decode("ascii")
    return {
        "authorizationData": [
            {
                "authorizationToken": token,
                "expiresAt": expires,
                "proxyEndpoint": f"https://{registry_host(account, context.region)}",
            }
            for account in request.get("registryIds", [context.account])
        ]
    }
