"""Lists: does the caller see all that is listed, some of it, or nothing?

Policies speak of resources, and a list returns many. Whoever may list everything gets everything and pays for one decision.
Whoever may list only what has a tag, or what is named so, gets that: then each row is decided by itself. This tells the two
apart before any row is read. It errs on one side only: SOME where it does not know, and rows are then decided all the same.
"""

from collections.abc import Iterable
from enum import IntEnum
from functools import lru_cache

from modelyard.access.conditions_keys import RequestContext, comparable_arn
from modelyard.access.evaluation import candidates_of, decide
from modelyard.access.permission import Permission, RequestFacts
from modelyard.access.policy import VERSION_WITH_VARIABLES, MatchedStatement, PolicyKind, load_policy
from modelyard.access.policy_patterns import arn_matcher, lowered, merged, split_arn
from modelyard.access.policy_principals import Grade
from modelyard.access.principal import Principal, PrincipalKind
from modelyard.access.variables import Wildcard, has_variables, tokens_of


class Sight(IntEnum):
    """How much of a list the caller sees; also, how many of its rows a statement speaks of."""

    NOTHING = 0
    SOME = 1
    ALL = 2


def sight(principal: Principal, permission: Permission, facts: RequestFacts) -> Sight:
    """How much of what begins with `permission.listing` the caller may see.

    The permission's resource stands for the list as a whole, with the policy and the tags that all rows share. Across accounts
    and for callers without identity policies a list is granted as a whole or not at all.
    """
    context = RequestContext(principal, permission, facts)
    decision = decide(principal, permission, facts)
    if principal.kind is PrincipalKind.ROOT:
        return Sight.ALL if decision.allowed else Sight.NOTHING
    action, listing = permission.action.lower(), permission.listing
    sets = [principal.policies]
    sets += [(principal.boundary,)] if principal.boundary is not None else []
    sets += [principal.session_policies] if principal.session_policies is not None else []
    candidates = [candidates_of(policies, action) for policies in sets]
    denied = _most((denial for each in candidates for denial in each.denies), context, listing)
    denied = max(denied, _denied_by_resource(context, action))
    if denied is Sight.ALL:
        return Sight.NOTHING
    granted = [_most(each.allows, context, listing) for each in candidates]
    if decision.allowed:
        granted = [min((_reach(each, context, listing) for each in decision.statements), default=Sight.SOME), *granted[1:]]
        return Sight.ALL if denied is Sight.NOTHING and min(granted) is Sight.ALL else Sight.SOME
    if principal.account != permission.resource.account or not principal.account:
        return Sight.NOTHING
    return min(*granted, Sight.SOME)


def _denied_by_resource(context: RequestContext, action: str) -> Sight:
    text = context.permission.resource.policy
    if text is None:
        return Sight.NOTHING
    denies = candidates_of((load_policy(text, PolicyKind.RESOURCE),), action).denies
    named = (each for each in denies if each.statement.grade(context.principal) is not Grade.NONE)
    return _most(named, context, context.permission.listing)


def _most(statements: Iterable[MatchedStatement], context: RequestContext, listing: str) -> Sight:
    """How many rows are spoken of by the statement that speaks of the most."""
    most = Sight.NOTHING
    for matched in statements:
        most = max(most, _reach(matched, context, listing))
        if most is Sight.ALL:
            break
    return most


def _reach(matched: MatchedStatement, context: RequestContext, listing: str) -> Sight:
    """How many rows a statement speaks of, now that it is known who asks and when."""
    statement = matched.statement
    for condition in statement.fixed_conditions:
        if not condition(context):
            return Sight.NOTHING
    reach = Sight.ALL
    source = statement.source
    if source is not None and statement.matches_resource is not None:
        variables = matched.policy.version == VERSION_WITH_VARIABLES
        reach = _named(source.resources, source.not_resources, variables, listing)
    return min(reach, Sight.SOME) if len(statement.fixed_conditions) < len(statement.conditions) else reach


@lru_cache(maxsize=4096)
def _named(resources: tuple[str, ...] | None, not_resources: tuple[str, ...] | None, variables: bool, listing: str) -> Sight:
    """How many ARNs that begin with `listing` the Resource or NotResource element names."""
    if not_resources is None:
        return max((_covered(pattern, variables, listing) for pattern in resources or ()), default=Sight.NOTHING)
    excepted = max((_covered(pattern, variables, listing) for pattern in not_resources), default=Sight.NOTHING)
    return Sight(Sight.ALL - excepted)


def _covered(pattern: str, variables: bool, listing: str) -> Sight:
    """How many ARNs that begin with `listing` a pattern matches; SOME may turn out to be none."""
    tokens = tokens_of(pattern, variables=variables, wildcards=True)
    if tokens == (Wildcard.MANY,):
        return Sight.ALL
    arn, folds = comparable_arn(listing)
    if tokens[-1] is Wildcard.MANY and not has_variables(tokens):
        head, resource = split_arn(tokens)
        # What ends in a star and matches the beginning matches whatever begins so.
        if arn_matcher(merged((*head, *(lowered(resource) if folds else resource))))(arn):
            return Sight.ALL
    literal = tokens[0].lower() if isinstance(tokens[0], str) else ""
    beginning = listing.lower()
    return Sight.SOME if literal.startswith(beginning) or beginning.startswith(literal) else Sight.NOTHING
