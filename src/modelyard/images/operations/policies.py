"""Repository policies: what lets other accounts pull and push."""

from modelyard.access.evaluation import decide
from modelyard.access.permission import Permission, Resource
from modelyard.access.policy import MalformedPolicy, PolicyKind, parse_policy
from modelyard.aws.errors import AwsError
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, Request, operations_of
from modelyard.images import store
from modelyard.images.failures import about, failure, invalid
from modelyard.images.permissions import named, on_repository
from modelyard.images.repository import Repository

operation = operations_of("ecr")


def _answer(repository: Repository, policy: str) -> Request:
    return {"registryId": repository.at.account, "repositoryName": repository.at.name, "policyText": policy}


@operation("SetRepositoryPolicy", mode=Mode.WRITE, permissions=on_repository("SetRepositoryPolicy"))
def set_repository_policy(context: Context, request: Request) -> Request:
    """Say who may use a repository; it counts from the next request on."""
    found = named(context, request)
    text = request["policyText"]
    _check(text)
    if not request.get("force"):
        _check_lockout(context, found, text)
    store.set_policy(context.tx, found, text)
    return _answer(found, text)


def _check(text: str) -> None:
    """Raise InvalidParameterException for what is no policy of a repository."""
    try:
        policy = parse_policy(text, PolicyKind.RESOURCE)
    except MalformedPolicy as error:
        raise invalid("PolicyText", f"Invalid repository policy provided: {error}") from None
    for statement in policy.statements:
        source = statement.source
        if source is not None and (source.resources or source.not_resources):
            raise invalid("PolicyText", "Invalid repository policy provided: it is about its repository, and names no Resource")


def _check_lockout(context: Context, found: Repository, text: str) -> None:
    """Raise InvalidParameterException for a policy that its author could not replace."""
    again = Permission("ecr:SetRepositoryPolicy", Resource(found.at.arn, found.at.account, policy=text))
    if not decide(context.principal, again, context.facts).allowed:
        raise failure(
            "InvalidParameterException",
            "The policy would not let you set another one: give force to set it all the same.",
        )


def _missing(repository: Repository) -> AwsError:
    return about("RepositoryPolicyNotFoundException", repository.at, "Repository policy does not exist for {repository}")


@operation("GetRepositoryPolicy", mode=Mode.READ, permissions=on_repository("GetRepositoryPolicy"))
def get_repository_policy(context: Context, request: Request) -> Request:
    """The policy as it was set."""
    found = named(context, request)
    if found.policy is None:
        raise _missing(found)
    return _answer(found, found.policy)


@operation("DeleteRepositoryPolicy", mode=Mode.WRITE, permissions=on_repository("DeleteRepositoryPolicy"))
def delete_repository_policy(context: Context, request: Request) -> Request:
    """Have no policy any more; answers the one that there was."""
    found = named(context, request)
    if found.policy is None:
        raise _missing(found)
    store.set_policy(context.tx, found, None)
    return _answer(found, found.policy)
