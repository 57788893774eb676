"""The Resource and NotResource elements: patterns of ARNs, with wildcards and variables."""

from collections.abc import Callable

from modelyard.access.conditions_keys import RequestContext
from modelyard.access.conditions_tests import filler
from modelyard.access.policy_document import MalformedPolicy, RawStatement
from modelyard.access.policy_patterns import (
    MalformedArn,
    TextMatcher,
    arn_matcher,
    everything,
    filled_arn_matcher,
    lowered,
    merged,
    prefix_of,
    split_arn,
)
from modelyard.access.variables import MalformedVariable, Tokens, has_variables, tokens_of

ResourceMatcher = Callable[[RequestContext], bool]


def compile_resources(raw: RawStatement, *, variables: bool) -> ResourceMatcher | None:
    """The function that says whether a statement speaks of the resource of a request; None when it speaks of all.

    A variable without a value makes its pattern match nothing. In an Allow with NotResource that would widen what is
    granted, so there the statement does not apply at all.
    """
    patterns = raw.resources if raw.not_resources is None else raw.not_resources
    if patterns is None:
        return None
    negated = raw.not_resources is not None
    matchers = tuple(_compile_pattern(each, variables=variables, unresolved=negated and raw.allows) for each in patterns)
    if negated:
        return lambda context: not any(matches is None or matches(context) for matches in matchers)
    present = tuple(matches for matches in matchers if matches is not None)
    if len(present) < len(matchers):
        return None
    if len(present) == 1:
        return present[0]
    return lambda context: any(matches(context) for matches in present)


def _compile_pattern(pattern: str, *, variables: bool, unresolved: bool) -> ResourceMatcher | None:
    try:
        tokens = tokens_of(pattern, variables=variables, wildcards=True)
        if has_variables(tokens):
            return _filled(*split_arn(tokens), unresolved=unresolved)
        matcher = arn_matcher(tokens)
        if matcher is everything:
            return None
        head, resource = split_arn(tokens)
        folded = lowered(resource)
    except MalformedVariable:
        raise MalformedPolicy(f"Resource {pattern[:256]} has a malformed policy variable.") from None
    except MalformedArn:
        raise MalformedPolicy(f'Resource {pattern[:256]} must be in ARN format or "*".') from None
    if folded == resource:
        beginning = prefix_of(merged((*head, *resource)))
        if beginning is not None:
            return lambda context: context.arn.startswith(beginning)
        return lambda context: matcher(context.arn)
    return _either(matcher, arn_matcher(merged((*head, *folded))))


def _either(matcher: TextMatcher, folded_matcher: TextMatcher) -> ResourceMatcher:
    return lambda context: (folded_matcher if context.folds else matcher)(context.arn)


def _filled(head: Tokens, resource: Tokens, *, unresolved: bool) -> ResourceMatcher:
    fill = filler(resource)

    def matches(context: RequestContext) -> bool:
        filled = fill(context)
        if filled is None:
            return unresolved
        return filled_arn_matcher(head, lowered(filled) if context.folds else filled)(context.arn)

    return matches
