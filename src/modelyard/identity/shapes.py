"""Users, roles and policies as IAM's answers show them."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from modelyard.access.identities import AccessKey, Identity, ManagedPolicy, PolicyVersion
from modelyard.identity.failures import invalid_input, limit_exceeded

Shape = dict[str, Any]
MOST_TAGS = 50


def user_shape(user: Identity, *, tags: bool = True) -> Shape:
    """A `User`; lists leave the tags out."""
    return {"Path": user.path, "UserName": user.name, "UserId": user.id, **_common(user, tags=tags)}


def role_shape(role: Identity, *, tags: bool = True) -> Shape:
    """A `Role`; lists leave the tags out."""
    shape = {"Path": role.path, "RoleName": role.name, "RoleId": role.id, **_common(role, tags=tags)}
    if role.trust_policy is not None:
        shape["AssumeRolePolicyDocument"] = encoded(role.trust_policy)
    if role.description is not None:
        shape["Description"] = role.description
    shape["MaxSessionDuration"] = role.max_session_seconds
    return shape


def _common(identity: Identity, *, tags: bool) -> Shape:
    shape: Shape = {"Arn": identity.arn, "CreateDate": identity.created_at}
    if identity.boundary_arn is not None:
        shape["PermissionsBoundary"] = {
            "PermissionsBoundaryType": "PermissionsBoundaryPolicy",
            "PermissionsBoundaryArn": identity.boundary_arn,
        }
    if tags and identity.tags:
        shape["Tags"] = tag_list(identity.tags)
    return shape


def access_key_shape(key: AccessKey, user_name: str | None) -> Shape:
    """An `AccessKeyMetadata`; the keys of the root have no user name."""
    shape: Shape = {"AccessKeyId": key.id, "Status": key.status, "CreateDate": key.created_at}
    return shape if user_name is None else {"UserName": user_name, **shape}


def policy_shape(policy: ManagedPolicy, attached: int, bounded: int, *, whole: bool = True) -> Shape:
    """A `Policy`; lists leave description and tags out."""
    shape: Shape = {
        "PolicyName": policy.name,
        "PolicyId": policy.id,
        "Arn": policy.arn,
        "Path": policy.path,
        "DefaultVersionId": policy.default_version,
        "AttachmentCount": attached,
        "PermissionsBoundaryUsageCount": bounded,
        "IsAttachable": True,
        "CreateDate": policy.created_at,
        "UpdateDate": policy.updated_at,
    }
    if whole and policy.description is not None:
        shape["Description"] = policy.description
    if whole and policy.tags:
        shape["Tags"] = tag_list(policy.tags)
    return shape


def version_shape(version: PolicyVersion, *, default: bool) -> Shape:
    """A `PolicyVersion`."""
    return {
        "Document": encoded(version.document),
        "VersionId": version.version,
        "IsDefaultVersion": default,
        "CreateDate": version.created_at,
    }


def encoded(document: str) -> str:
    """A policy document as IAM answers it: percent-encoded."""
    return quote(document, safe="")


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as AWS's list."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def merged_tags(present: Mapping[str, str], added: list[dict[str, str]]) -> dict[str, str]:
    """`present` with the tags of a request; IAM's keys are the same in whatever case. Raises InvalidInput, LimitExceeded."""
    new = {tag["Key"]: tag["Value"] for tag in added}
    folded = {key.lower() for key in new}
    if len(folded) != len(added):
        raise invalid_input("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
    if any(key.startswith("aws:") for key in folded):
        raise invalid_input("Tag keys that begin with 'aws:' are reserved for system use.")
    tags = {key: value for key, value in present.items() if key.lower() not in folded} | new
    if len(tags) > MOST_TAGS:
        raise limit_exceeded("The number of tags has reached the maximum limit.")
    return tags


def without_tags(present: Mapping[str, str], removed: list[str]) -> dict[str, str]:
    """`present` without the keys of a request, in whatever case."""
    folded = {key.lower() for key in removed}
    return {key: value for key, value in present.items() if key.lower() not in folded}
