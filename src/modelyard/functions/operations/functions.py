"""Functions: create, find, list, change, publish, delete."""

from collections.abc import Iterable
from typing import Any

from modelyard.access.permission import Permission
from modelyard.access.roles import service_could_assume
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.dispatch.tags import forget_tags, put_tags, tags_of
from modelyard.functions import function, store
from modelyard.functions.environments import Environments
from modelyard.functions.failures import conflict, invalid, no_such_function, not_here, precondition_failed
from modelyard.functions.function import Version
from modelyard.functions.function_name import LATEST, FunctionName
from modelyard.functions.permissions import (
    LAMBDA_PRINCIPAL,
    Request,
    existing,
    function_at,
    on_all,
    on_function,
    passing,
    resource,
    tag_conditions,
)
from modelyard.functions.taking_code import Code, take

operation = operations_of("lambda")

LARGEST_REQUEST = 70_167_211
"""Bytes of a request that brings code."""
MOST_LISTED = 50


def _creation(context: Context, request: Request) -> Iterable[Permission]:
    at, tags = function_at(context, request), request.get("Tags", {})
    yield Permission("lambda:CreateFunction", resource(context.tx, at), tag_conditions(tags))
    if tags:
        yield Permission("lambda:TagResource", resource(context.tx, at), tag_conditions(tags))
    yield from passing(context, request)


def _prepare_creation(context: Context, request: Request) -> Code:
    function.check(request)
    with context.read() as tx:
        _check_new(context.within(tx), request)
    return take(context, request["Code"])


def _check_new(context: Context, request: Request) -> FunctionName:
    """Raises ResourceConflictException when the name is taken, InvalidParameterValueException for what cannot be."""
    at = function_at(context, request)
    if at.account != context.account or at.qualifier:
        raise invalid(f"{request['FunctionName'][:256]} is not a name for a new function of account {context.account}.")
    for member in ("Runtime", "Handler"):
        if member not in request:
            raise invalid(f"{member} is mandatory for functions created with deployment packages.")
    _check_role(context, at, request["Role"])
    if store.function_id(context.tx, at) is not None:
        raise conflict(f"Function already exist: {at.name}")
    return at


def _check_role(context: Context, at: FunctionName, role: str) -> None:
    if not service_could_assume(context.tx, role, LAMBDA_PRINCIPAL, context.facts, at.arn):
        raise invalid("The role defined for the function cannot be assumed by Lambda.")


def _code(context: Context) -> Code:
    assert isinstance(context.prepared, Code), "a WRITE with `prepare` has what it prepared"
    return context.prepared


@operation("CreateFunction", mode=Mode.WRITE, permissions=_creation, prepare=_prepare_creation, largest_body=LARGEST_REQUEST)
def create_function(context: Context, request: Request) -> Request:
    """Keep a function, ready to be invoked."""
    at, code = _check_new(context, request), _code(context)
    document = function.configuration(at, request, {}, context.now, context.ids.request_id())
    document = function.with_code(document, code.sha256, code.size)
    code.kept.refer(context.tx, context.blobs)
    store.add(context.tx, at, code.kept.blob.digest, document)
    put_tags(context.tx, at.arn, request.get("Tags", {}))
    environments = Environments.of(context.dispatcher)
    context.tx.after_commit(lambda: environments.expect(request["Runtime"]))
    if request.get("Publish"):
        document = _publish(context, existing(context.tx, at), {})
    return function.being_made(document)


@operation("GetFunction", mode=Mode.READ, permissions=on_function("GetFunction"))
def get_function(context: Context, request: Request) -> Request:
    """A function's configuration, tags, and where its code is."""
    at = function_at(context, request)
    found = existing(context.tx, at)
    tags = tags_of(context.tx, at.arn)
    code = {"RepositoryType": "Modelyard", "Location": found.digest}
    return {"Configuration": _shown(found, at), "Code": code, **({"Tags": tags} if tags else {})}


def _shown(version: Version, at: FunctionName) -> dict[str, Any]:
    return version.document | {"FunctionArn": at.qualified_arn}


@operation("GetFunctionConfiguration", mode=Mode.READ, permissions=on_function("GetFunctionConfiguration"))
def get_function_configuration(context: Context, request: Request) -> Request:
    """A function's configuration."""
    at = function_at(context, request)
    return _shown(existing(context.tx, at), at)


@operation("ListFunctions", mode=Mode.SLOW_READ, permissions=on_all("ListFunctions"))
def list_functions(context: Context, request: Request) -> Request:
    """The functions of the account by name, as they are now or in all versions."""
    most = min(request.get("MaxItems", MOST_LISTED), MOST_LISTED)
    query = {"operation": "ListFunctions", "versions": request.get("FunctionVersion", "")}
    name, place = context.tokens.open(request["Marker"], query) if request.get("Marker") else ("", 0)
    if query["versions"]:
        found = store.all_versions(context.tx, context.account, context.region, (name, place), most + 1)
    else:
        latest = store.latest_versions(context.tx, context.account, context.region, name, most + 1)
        found = [(version, 0) for version in latest]
    answer: Request = {"Functions": [version.document for version, _ in found[:most]]}
    if len(found) > most:
        last, place = found[most - 1]
        answer["NextMarker"] = context.tokens.seal(query, [last.at.name, place])
    return answer


@operation("ListVersionsByFunction", mode=Mode.SLOW_READ, permissions=on_function("ListVersionsByFunction"))
def list_versions_by_function(context: Context, request: Request) -> Request:
    """The versions of a function, `$LATEST` first."""
    at = function_at(context, request)
    number = store.function_id(context.tx, at)
    if number is None:
        raise no_such_function(at.arn)
    most = min(request.get("MaxItems", MOST_LISTED), MOST_LISTED)
    query = {"operation": "ListVersionsByFunction", "function": number}
    after = context.tokens.open(request["Marker"], query)[0] if request.get("Marker") else -1
    found = store.versions_of(context.tx, number, after, most + 1)
    shown = [_shown(version, version.at) for version, _ in found[:most]]
    answer: Request = {"Versions": shown}
    if len(found) > most:
        answer["NextMarker"] = context.tokens.seal(query, [found[most - 1][1]])
    return answer


def _latest(context: Context, request: Request) -> Version:
    """What a change is made to. Raises AwsError."""
    at = function_at(context, request)
    if at.qualifier not in ("", LATEST):
        raise invalid("A published version of a function cannot be changed.")
    found = existing(context.tx, at)
    if "RevisionId" in request and request["RevisionId"] != found.document["RevisionId"]:
        raise precondition_failed()
    return found


def _prepare_code(context: Context, request: Request) -> Code:
    with context.read() as tx:
        _latest(context.within(tx), request)
    code = {name: value for name, value in request.items() if name in ("ZipFile", "ImageUri") or name.startswith("S3")}
    return take(context, code)


@operation(
    "UpdateFunctionCode",
    mode=Mode.WRITE,
    permissions=on_function("UpdateFunctionCode"),
    prepare=_prepare_code,
    largest_body=LARGEST_REQUEST,
)
def update_function_code(context: Context, request: Request) -> Request:
    """Run other code from the next invocation on."""
    found, code = _latest(context, request), _code(context)
    document = function.configuration(_whole(found), {}, found.document, context.now, context.ids.request_id())
    document = function.with_code(document, code.sha256, code.size)
    if request.get("DryRun"):
        return document
    code.kept.refer(context.tx, context.blobs)
    store.change(context.tx, found, code.kept.blob.digest, document, context.now)
    if request.get("Publish"):
        document = _publish(context, existing(context.tx, found.at), {})
    return function.being_updated(document)


def _whole(version: Version) -> FunctionName:
    return FunctionName(version.at.account, version.at.region, version.at.name)


def _configuring(context: Context, request: Request) -> Iterable[Permission]:
    yield from on_function("UpdateFunctionConfiguration")(context, request)
    yield from passing(context, request)


@operation("UpdateFunctionConfiguration", mode=Mode.WRITE, permissions=_configuring)
def update_function_configuration(context: Context, request: Request) -> Request:
    """Run with another configuration from the next invocation on; what the request does not name stays."""
    function.check(request)
    found = _latest(context, request)
    if "Role" in request:
        _check_role(context, found.at, request["Role"])
    document = function.configuration(_whole(found), request, found.document, context.now, context.ids.request_id())
    store.change(context.tx, found, found.digest, document, context.now)
    return function.being_updated(document)


@operation("PublishVersion", mode=Mode.WRITE, permissions=on_function("PublishVersion"))
def publish_version(context: Context, request: Request) -> Request:
    """Keep what runs now under the next number; the same number again when nothing was changed since."""
    if "PublishTo" in request:
        raise not_here("PublishTo")
    found = _latest(context, request)
    if "CodeSha256" in request and request["CodeSha256"] != found.document["CodeSha256"]:
        raise invalid(
            f"CodeSHA256 ({request['CodeSha256'][:128]}) is different from current CodeSHA256 in $LATEST"
            f" ({found.document['CodeSha256']}). Please try again with the CodeSHA256 in $LATEST."
        )
    return _publish(context, found, request)


_COMPARED = (*function.TAKEN, "CodeSha256")


def _publish(context: Context, latest: Version, request: Request) -> dict[str, Any]:
    newest = store.newest_published(context.tx, latest.function_id)
    wanted = latest.document | ({"Description": request["Description"]} if "Description" in request else {})
    if newest is not None and all(newest.document.get(name) == wanted.get(name) for name in _COMPARED):
        return newest.document
    number = store.take_version(context.tx, latest.function_id)
    arn = f"{_whole(latest).arn}:{number}"
    document = wanted | {"Version": str(number), "FunctionArn": arn, "RevisionId": context.ids.request_id()}
    store.publish(context.tx, latest, number, document)
    return document


@operation("DeleteFunction", mode=Mode.WRITE, permissions=on_function("DeleteFunction"))
def delete_function(context: Context, request: Request) -> Request:
    """Forget a function, or one of its versions; what runs ends by itself, what waits is not invoked any more."""
    at = function_at(context, request)
    if at.qualifier == LATEST:
        raise invalid("$LATEST version cannot be deleted without deleting the function.")
    found = existing(context.tx, at)
    if at.qualifier:
        store.delete_version(context.tx, found, context.now)
    else:
        store.delete(context.tx, found.function_id, context.now)
        forget_tags(context.tx, at.arn)
    return {}
