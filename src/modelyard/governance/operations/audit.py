"""The audit trail: looked up, verified, signed."""

import base64
from typing import Any

from modelyard.aws.errors import ResourceNotFound, ValidationException
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.events.checkpoint import NotACheckpoint, from_line
from modelyard.events.trail import AuditTrail
from modelyard.events.verification import Walked, step
from modelyard.governance.audit_event import Wanted, shown
from modelyard.governance.lookup import find
from modelyard.governance.resources import on_own

operation = operations_of("modelyard")
Request = dict[str, Any]

DEFAULT_SIZE = 50
STEPS = 5
"""Slices of the chain that one VerifyAudit walks."""


def trail_of(context: Context) -> AuditTrail:
    """The audit trail of this server."""
    recorder = context.dispatcher.recorder
    if not isinstance(recorder, AuditTrail):
        raise RuntimeError("this server keeps no audit trail")
    return recorder


@operation("LookupEvents", mode=Mode.SLOW_READ, permissions=on_own("LookupEvents", "audit"))
def lookup_events(context: Context, request: Request) -> Request:
    """Records that concern the caller's account, newest first."""
    query = {name: value for name, value in request.items() if name not in ("NextToken", "MaxResults")}
    fingerprint = {"operation": "modelyard:LookupEvents", "account": context.account, **query}
    before = context.tokens.open(request["NextToken"], fingerprint)[0] if "NextToken" in request else None
    wanted = Wanted(
        account=context.account,
        principal=request.get("PrincipalArn"),
        service=request.get("Service"),
        operation=request.get("Operation"),
        resource=request.get("ResourceArn"),
        outcome=request.get("Outcome"),
    )
    size = request.get("MaxResults", DEFAULT_SIZE)
    page = find(context.tx, wanted, start=request.get("StartTime"), end=request.get("EndTime"), before=before, size=size)
    answer: Request = {"Events": [shown(record, document) for record, document in page.found]}
    if page.before is not None:
        answer["NextToken"] = context.tokens.seal(fingerprint, [page.before])
    return answer


@operation("VerifyAudit", mode=Mode.SLOW_READ, permissions=on_own("VerifyAudit", "audit"))
def verify_audit(context: Context, request: Request) -> Request:
    """Walk a stretch of the chain, and say the first record that is wrong."""
    known = _known(request)
    fingerprint = {"operation": "modelyard:VerifyAudit", "checkpoint": request.get("Checkpoint")}
    walked = Walked()
    if "NextToken" in request:
        walked = Walked(*context.tokens.open(request["NextToken"], fingerprint))
    trail = trail_of(context)
    for _ in range(STEPS):
        walked = step(context.tx, trail, walked, known=known)
        if walked.finished or walked.problem is not None:
            break
    problems = []
    if walked.problem is not None:
        found = walked.problem
        problems.append({"Sequence": found.sequence, "Kind": found.kind.value, "Message": found.sentence})
    answer: Request = {
        "Whole": not problems,
        "LastSequence": walked.sequence,
        "LastHash": walked.hash,
        "Checkpoints": walked.checkpoints,
        "Problems": problems,
    }
    if not problems and not walked.finished:
        answer["NextToken"] = context.tokens.seal(fingerprint, [walked.sequence, walked.hash, walked.checkpoints])
    return answer


def _known(request: Request) -> Any:
    """The checkpoint that a request brings."""
    given = request.get("Checkpoint")
    if given is None:
        return None
    try:
        return from_line({"checkpoint": given["Document"], "signature": given["Signature"]})
    except NotACheckpoint as error:
        raise ValidationException(str(error)) from None


@operation("GetAuditCheckpoint", mode=Mode.READ, permissions=on_own("GetAuditCheckpoint", "audit"))
def get_audit_checkpoint(context: Context, request: Request) -> Request:
    """Sign how far the audit trail has come."""
    checkpoint = trail_of(context).checkpoint(context.tx)
    if checkpoint is None:
        raise ResourceNotFound("The audit trail has no record yet.")
    content = checkpoint.content
    return {
        "Sequence": content["sequence"],
        "Hash": content["hash"],
        "Time": content["time"],
        "KeyId": content["key"],
        "Checkpoint": {
            "Document": checkpoint.document.decode(),
            "Signature": base64.b64encode(checkpoint.signature).decode("ascii"),
        },
    }


@operation("GetAuditPublicKey", mode=Mode.READ, permissions=on_own("GetAuditPublicKey", "audit"))
def get_audit_public_key(context: Context, request: Request) -> Request:
    """The key that checkpoints are checked with."""
    key = trail_of(context).public_key
    return {"KeyId": key.id, "Algorithm": "Ed25519", "PublicKey": key.pem()}
