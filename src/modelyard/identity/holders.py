"""Users and roles alike: how a request names one, and the permission to do something to it."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from modelyard.access import store
from modelyard.access.identities import Identity, IdentityKind, identity_arn
from modelyard.access.managed import find_policy
from modelyard.access.permission import Permission, Resource
from modelyard.access.policy import MalformedPolicy, Policy, PolicyKind, parse_policy
from modelyard.access.principal import PrincipalKind
from modelyard.dispatch.context import Context
from modelyard.identity.failures import invalid, malformed_policy, no_such_entity

_WHITE_SPACE = re.compile(r"\s+")
Request = dict[str, Any]
Permissions = Callable[[Context, Request], Iterable[Permission]]


@dataclass(frozen=True, slots=True)
class Holder:
    """What differs between users and roles in the names of operations and members."""

    kind: IdentityKind
    title: str
    """`User` or `Role`: `PutUserPolicy`, `PutRolePolicy`."""
    member: str
    """`UserName` or `RoleName`."""

    def find(self, context: Context, request: Request) -> Identity:
        """The user or role that a request names. Raises NoSuchEntity."""
        name = self.name(context, request)
        found = store.identity(context.tx, context.account, self.kind, name)
        if found is None:
            raise no_such_entity(f"The {self.kind} with name {name} cannot be found.")
        return found

    def name(self, context: Context, request: Request) -> str:
        """The name in the request; without one, the user who calls."""
        name: str | None = request.get(self.member)
        if name is not None:
            return name
        if context.principal.kind is not PrincipalKind.USER:
            raise invalid("Must specify userName when calling with non-User credentials")
        return context.principal.name

    def resource(self, context: Context, request: Request) -> tuple[Resource, Identity | None]:
        """What policies are matched against: the ARN with the path it has, or that a new one would have."""
        if self.member not in request and context.principal.kind is PrincipalKind.ROOT:
            return Resource(context.principal.arn, context.account), None
        name = self.name(context, request)
        found = store.identity(context.tx, context.account, self.kind, name)
        if found is not None:
            return Resource(found.arn, found.account, found.tags), found
        return Resource(identity_arn(context.account, self.kind, request.get("Path", "/"), name), context.account), None

    def needs(self, action: str, conditions: Callable[[Request], Mapping[str, Any]] = lambda _request: {}) -> Permissions:
        """The permission `iam:<action>` on the user or role of a request."""

        def permissions(context: Context, request: Request) -> Iterable[Permission]:
            resource, found = self.resource(context, request)
            keys = dict(conditions(request))
            if found is not None and found.boundary_arn is not None:
                keys.setdefault("iam:PermissionsBoundary", found.boundary_arn)
            return (Permission(f"iam:{action}", resource, keys),)

        return permissions


USER = Holder(IdentityKind.USER, "User", "UserName")
ROLE = Holder(IdentityKind.ROLE, "Role", "RoleName")
HOLDERS = (USER, ROLE)


def listing(action: str, resource: str) -> Permissions:
    """The permission to list, on `arn:aws:iam::ACCOUNT:<resource>` and the path prefix that is asked for."""

    def permissions(context: Context, request: Request) -> Iterable[Permission]:
        arn = f"arn:aws:iam::{context.account}:{resource}{request.get('PathPrefix', '/')}"
        return (Permission(f"iam:{action}", Resource(arn, context.account)),)

    return permissions


def tag_conditions(request: Request) -> Mapping[str, Any]:
    """The keys that the tags and the boundary in a request give to conditions."""
    keys: dict[str, Any] = {f"aws:RequestTag/{tag['Key']}": tag["Value"] for tag in request.get("Tags", ())}
    names = tuple(tag["Key"] for tag in request.get("Tags", ())) + tuple(request.get("TagKeys", ()))
    if names:
        keys["aws:TagKeys"] = names
    if "PermissionsBoundary" in request:
        keys["iam:PermissionsBoundary"] = request["PermissionsBoundary"]
    return keys


def checked_boundary(context: Context, request: Request) -> str | None:
    """The policy that a request names as boundary. Raises NoSuchEntity when the account cannot use it."""
    arn: str | None = request.get("PermissionsBoundary")
    if arn is not None:
        policy = find_policy(context.tx, arn)
        if policy is None or policy.account not in {"aws", context.account}:
            raise no_such_entity(f"Policy {arn} does not exist or is not attachable.")
    return arn


def policy_size(text: str) -> int:
    """The size of a policy document as IAM's quotas count it: without white space."""
    return len(_WHITE_SPACE.sub("", text))


def checked_policy(text: str, kind: PolicyKind) -> Policy:
    """A policy document that a request brings. Raises MalformedPolicyDocument."""
    try:
        return parse_policy(text, kind)
    except MalformedPolicy as error:
        raise malformed_policy(str(error)) from None
