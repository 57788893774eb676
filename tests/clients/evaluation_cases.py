"""One decision, as Modelyard makes it and as another evaluator of policies, @cloud-copilot/iam-simulate, is asked for it."""

import json
from dataclasses import dataclass
from typing import Any

from modelyard.access.conditions_keys import RequestContext, key_reader
from modelyard.access.evaluation import decide
from modelyard.access.permission import Permission, RequestFacts
from modelyard.access.policy import Policy
from modelyard.access.principal import Principal, PrincipalKind

Json = dict[str, Any]

GLOBAL_KEYS = (
    "aws:CurrentTime",
    "aws:EpochTime",
    "aws:MultiFactorAuthPresent",
    "aws:PrincipalAccount",
    "aws:PrincipalArn",
    "aws:PrincipalIsAWSService",
    "aws:PrincipalServiceName",
    "aws:PrincipalType",
    "aws:RequestedRegion",
    "aws:ResourceAccount",
    "aws:SecureTransport",
    "aws:SourceAccount",
    "aws:SourceArn",
    "aws:SourceIdentity",
    "aws:SourceIp",
    "aws:TokenIssueTime",
    "aws:UserAgent",
    "aws:userid",
    "aws:username",
    "aws:ViaAWSService",
    "s3:signatureversion",
)
EVERYTHING: Json = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


@dataclass(frozen=True)
class Case:
    """Somebody asks for something."""

    claim: str
    caller: Principal
    permission: Permission
    facts: RequestFacts

    @property
    def allowed(self) -> bool:
        """Modelyard's decision."""
        return decide(self.caller, self.permission, self.facts).allowed

    def asked(self) -> Json:
        """The same for the other evaluator."""
        resource = self.permission.resource
        caller = self.caller
        identity = [json.loads(policy.text) for policy in caller.policies]
        if caller.kind is PrincipalKind.ROOT:
            identity.append(EVERYTHING)  # it knows no root users
        return {
            "principal": None if caller.kind is PrincipalKind.ANONYMOUS else caller.arn,
            "action": self.permission.action,
            "resource": resource.arn,
            "owner": resource.account,
            "context": _context(self),
            "identity": identity,
            "boundary": None if caller.boundary is None else json.loads(caller.boundary.text),
            "session": None if caller.session_policies is None else _joined(caller.session_policies),
            "policy": None if resource.policy is None else json.loads(resource.policy),
        }

    def told(self) -> str:
        """The case in words, for whoever has to find out who is right."""
        return json.dumps({"claim": self.claim, "allowed": self.allowed, **self.asked()}, indent=1)


def _context(case: Case) -> Json:
    """Condition keys and their values."""
    request = RequestContext(case.caller, case.permission, case.facts)
    found = {name: key_reader(name)(request) for name in GLOBAL_KEYS}
    for key, value in case.caller.tags.items():
        found[f"aws:PrincipalTag/{key}"] = value
    service = case.permission.action.partition(":")[0]
    for key, value in case.permission.resource.tags.items():
        found[f"aws:ResourceTag/{key}"] = found[f"{service}:ResourceTag/{key}"] = value
    found |= {name: value for name, value in case.permission.conditions.items() if name not in GLOBAL_KEYS}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items() if value is not None}


def _joined(policies: tuple[Policy, ...]) -> Json:
    """Several session policies as one, which is the same: it takes one."""
    statements: list[Json] = []
    for policy in policies:
        written = json.loads(policy.text)["Statement"]
        statements += written if isinstance(written, list) else [written]
    return {"Version": "2012-10-17", "Statement": statements}
