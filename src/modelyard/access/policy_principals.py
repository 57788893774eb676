"""The Principal element: whom a statement of a resource policy speaks of, and how directly it names the caller."""

import re
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from hashlib import sha256

from modelyard.access.principal import Principal, PrincipalKind


class Grade(IntEnum):
    """How directly a statement names a caller: it decides which other policies have to allow, too."""

    NONE = 0
    ACCOUNT = 1
    """The caller's account, which is left to grant access by its own identity policies."""
    ROLE = 2
    """The role behind the session: a permissions boundary and session policies still limit it."""
    DIRECT = 3
    """The user or session itself, or everyone: nothing but an explicit deny limits it."""


KINDS = ("AWS", "Service", "Federated", "CanonicalUser")
_ACCOUNT = re.compile(r"(?:arn:[a-z-]+:iam::)?(\d{12})(?::root)?", re.ASCII)
_ACCOUNT_FORMS = re.compile(r"\d{12}|arn:[a-z-]+:iam::\d{12}:root", re.ASCII)
_NAMED = re.compile(
    r"arn:[a-z-]+:(?:iam::\d{12}:(?:user|role)/[!-~]{1,576}|sts::\d{12}:(?:assumed-role/[\w+=,.@-]+/[\w+=,.@-]+|federated-user/[\w+=,.@-]+))",
    re.ASCII,
)
_UNIQUE_ID = re.compile(r"A(?:IDA|ROA)[A-Z0-9]{8,128}", re.ASCII)
_CANONICAL_USER = re.compile("[0-9a-f]{64}", re.ASCII)
_SERVICE = re.compile(r"[A-Za-z0-9.-]+\.[A-Za-z0-9.-]+", re.ASCII)


class MalformedPrincipal(ValueError):
    """Something that names nobody; the text is the part of the policy."""


@dataclass(frozen=True, slots=True)
class Principals:
    """A Principal (or NotPrincipal) element."""

    everyone: bool
    accounts: frozenset[str]
    arns: frozenset[str]
    """Users, roles and sessions."""
    unique_ids: frozenset[str]
    services: frozenset[str]
    canonical_users: frozenset[str]
    """Accounts, by their canonical user ids."""

    def grade(self, caller: Principal) -> Grade:
        """How directly this names the caller."""
        if self.everyone:
            return Grade.DIRECT
        if caller.kind is PrincipalKind.ANONYMOUS:
            return Grade.NONE
        if caller.kind is PrincipalKind.SERVICE:
            return Grade.DIRECT if caller.name in self.services else Grade.NONE
        return max(self._grade_by_arn(caller), self._grade_by_id(caller), self._grade_by_account(caller))

    def _grade_by_arn(self, caller: Principal) -> Grade:
        if caller.arn in self.arns:
            return Grade.DIRECT
        return Grade.ROLE if caller.role_arn in self.arns else Grade.NONE

    def _grade_by_account(self, caller: Principal) -> Grade:
        if caller.account not in self.accounts and not (
            self.canonical_users and canonical_user_id(caller.account) in self.canonical_users
        ):
            return Grade.NONE
        return Grade.DIRECT if caller.kind is PrincipalKind.ROOT else Grade.ACCOUNT

    def _grade_by_id(self, caller: Principal) -> Grade:
        """AWS shows a principal that was deleted by its unique id; an id names at most one, whatever its name is reused for."""
        owner, colon, _session = caller.unique_id.partition(":")
        if owner not in self.unique_ids:
            return Grade.NONE
        return Grade.ROLE if colon else Grade.DIRECT

    def excepts(self, caller: Principal) -> bool:
        """Whether a Deny with NotPrincipal of these spares the caller.

        Naming its account or its role is not enough: AWS asks for the user or the session besides them. And it
        documents that callers with a permissions boundary are always denied.
        """
        return caller.boundary is None and self.grade(caller) is Grade.DIRECT


@lru_cache(maxsize=1024)
def canonical_user_id(account: str) -> str:
    """The account's canonical user id: 64 hexadecimal digits, which S3 uses for owners and policies may name."""
    return sha256(f"canonical user of {account}".encode()).hexdigest()


def principals_of(entries: tuple[tuple[str, str], ...]) -> Principals:
    """Read the pairs of kind and name of a Principal element. Raises MalformedPrincipal."""
    accounts, arns, unique_ids, services, canonical = set[str](), set[str](), set[str](), set[str](), set[str]()
    everyone = False
    for kind, name in entries:
        if kind == "AWS" and name == "*":
            everyone = True
        elif kind == "AWS" and _ACCOUNT_FORMS.fullmatch(name) and (account := _ACCOUNT.fullmatch(name)):
            accounts.add(account[1])
        elif kind == "AWS" and _NAMED.fullmatch(name) and "*" not in name and "?" not in name:
            arns.add(name)
        elif kind == "AWS" and _UNIQUE_ID.fullmatch(name):
            unique_ids.add(name)
        elif kind == "Service" and _SERVICE.fullmatch(name):
            services.add(name)
        elif kind == "CanonicalUser" and _CANONICAL_USER.fullmatch(name):
            canonical.add(name)
        elif kind != "Federated":  # nobody here has such an identity: valid, and names none
            raise MalformedPrincipal(f'"{kind}":"{name[:256]}"')
    return Principals(
        everyone, frozenset(accounts), frozenset(arns), frozenset(unique_ids), frozenset(services), frozenset(canonical)
    )
