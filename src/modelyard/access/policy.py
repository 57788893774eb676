"""Policy documents, compiled: matchers of actions and resources, and functions for conditions.

A document is read once and kept by its text. `parse_policy` is for documents that are put: it refuses what AWS refuses, and
whatever could not be evaluated. `load_policy` is for documents that are stored already: it never fails, and what it cannot read
never allows. A broken condition makes an Allow statement match nothing and counts as met in a Deny statement; a document that is
broken as a whole denies everything, since nobody can tell what it meant to deny.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from modelyard.access.conditions import Condition, MalformedCondition, always, compile_condition, never
from modelyard.access.conditions_keys import RequestContext
from modelyard.access.policy_cache import WeightedCache
from modelyard.access.policy_document import LARGEST, MalformedPolicy, PolicyKind, RawDocument, RawStatement, read_document
from modelyard.access.policy_patterns import TextMatcher, glob_matcher
from modelyard.access.policy_principals import Grade, MalformedPrincipal, Principals, principals_of
from modelyard.access.policy_resources import compile_resources
from modelyard.access.principal import Principal
from modelyard.access.variables import tokens_of

__all__ = [
    "LARGEST",
    "Candidates",
    "MalformedPolicy",
    "MatchedStatement",
    "Policy",
    "PolicyKind",
    "Statement",
    "load_policy",
    "parse_policy",
]

ResourceMatcher = Callable[[RequestContext], bool]


@dataclass(frozen=True, slots=True, eq=False)
class Statement:
    """One statement, ready to be matched."""

    sid: str
    index: int
    """Its place in the document, from 0."""
    allows: bool
    source: RawStatement | None
    """Its elements as written; None in the statement that stands for a broken document."""
    matches_action: TextMatcher
    """Takes `service:action` in lower case."""
    matches_resource: ResourceMatcher | None
    """None when it matches every resource."""
    principals: Principals | None
    except_principals: Principals | None
    conditions: tuple[Condition, ...]
    fixed_conditions: tuple[Condition, ...] = ()
    """Those of the conditions that are the same for all resources: they do not look at tags of the resource."""
    applies: Condition = field(init=False)
    """Whether resource and conditions match; action and principal are asked for by themselves."""

    def __post_init__(self) -> None:
        """Make one function of resource and conditions: callers may have hundreds of statements on one action."""
        tests = (*(() if self.matches_resource is None else (self.matches_resource,)), *self.conditions)
        object.__setattr__(self, "applies", tests[0] if len(tests) == 1 else _all_of(tests))

    @property
    def unconditional(self) -> bool:
        """True when nothing but the action (and the principal) matters."""
        return self.matches_resource is None and not self.conditions

    def grade(self, caller: Principal) -> Grade:
        """How directly the statement speaks of the caller; DIRECT in policies that have no principals."""
        if self.principals is not None:
            return self.principals.grade(caller)
        if self.except_principals is not None and self.except_principals.excepts(caller):
            return Grade.NONE
        return Grade.DIRECT


def _all_of(tests: tuple[Condition, ...]) -> Condition:
    if not tests:
        return always

    def applies(context: RequestContext) -> bool:
        for test in tests:  # noqa: SIM110 -- a generator costs more than the rest
            if not test(context):
                return False
        return True

    return applies


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """A compiled document. Two are the same only when they are one object; `parse_policy` gives one object for one text."""

    text: str = field(repr=False)
    kind: PolicyKind
    version: str
    statements: tuple[Statement, ...]
    broken: str | None = None
    """Why a stored document could not be read, when it could not; it then denies everything."""
    _by_action: dict[str, "Candidates"] = field(default_factory=dict, repr=False)

    def candidates(self, action: str) -> "Candidates":
        """The statements that speak of `action` (`service:action` in lower case)."""
        found = self._by_action.get(action)
        if found is None:
            matched = [MatchedStatement(self, each) for each in self.statements if each.matches_action(action)]
            found = Candidates.of(
                [each for each in matched if not each.statement.allows], [each for each in matched if each.statement.allows]
            )
            if len(self._by_action) >= _MOST_ACTIONS:
                self._by_action.clear()
            self._by_action[action] = found
        return found


@dataclass(frozen=True, slots=True, eq=False)
class MatchedStatement:
    """A statement, and the policy it stands in."""

    policy: Policy
    statement: Statement


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """The statements of one or several policies that speak of one action."""

    denies: tuple[MatchedStatement, ...]
    allows: tuple[MatchedStatement, ...]
    """Those without conditions first, since they are the quickest to match."""

    @staticmethod
    def of(denies: list[MatchedStatement], allows: list[MatchedStatement]) -> "Candidates":
        """Put them in order."""
        return Candidates(tuple(denies), tuple(sorted(allows, key=lambda each: not each.statement.unconditional)))


_MOST_ACTIONS = 256
VERSION_WITH_VARIABLES = "2012-10-17"
RESOURCE_TAG = ":resourcetag/"


_CACHE: WeightedCache[Policy] = WeightedCache(2_000_000)
"""Weighed in characters of the documents: a compiled one takes some 25 bytes for each, so all of them at most 50 MB."""
_LEAST_WEIGHT = 500


def parse_policy(text: str, kind: PolicyKind = PolicyKind.IDENTITY) -> Policy:
    """Compile a document. Raises MalformedPolicy with a sentence for its author."""
    key = (text, kind)
    found = _CACHE.get(key)
    return found or _CACHE.keep(key, _parse(text, kind, strict=True), len(text) + _LEAST_WEIGHT)


def load_policy(text: str, kind: PolicyKind = PolicyKind.IDENTITY) -> Policy:
    """Compile a stored document; never raises. A sound one is the same object that `parse_policy` gives."""
    key = (text, kind, "loaded")
    found = _CACHE.get((text, kind)) or _CACHE.get(key)
    if found is not None:
        return found
    try:
        return parse_policy(text, kind)
    except MalformedPolicy:
        return _CACHE.keep(key, _parse_leniently(text, kind), len(text) + _LEAST_WEIGHT)


def _parse(text: str, kind: PolicyKind, *, strict: bool) -> Policy:
    document = read_document(text, kind)
    statements = tuple(_compile(each, index, document, strict=strict) for index, each in enumerate(document.statements))
    return Policy(text, kind, document.version, statements)


def _parse_leniently(text: str, kind: PolicyKind) -> Policy:
    """A document that would be refused today: conditions that cannot be evaluated fail closed, or all of it does."""
    try:
        return _parse(text, kind, strict=False)
    except MalformedPolicy as error:
        return Policy(text, kind, "", (_DENY_EVERYTHING,), broken=str(error))


_DENY_EVERYTHING = Statement(
    sid="",
    index=0,
    allows=False,
    source=None,
    matches_action=lambda _action: True,
    matches_resource=None,
    principals=None,
    except_principals=None,
    conditions=(),
)


def _compile(raw: RawStatement, index: int, document: RawDocument, *, strict: bool) -> Statement:
    variables = document.version == VERSION_WITH_VARIABLES
    conditions = _compile_conditions(raw, variables=variables, strict=strict)
    return Statement(
        sid=raw.sid,
        index=index,
        allows=raw.allows,
        source=raw,
        matches_action=_compile_actions(raw),
        matches_resource=compile_resources(raw, variables=variables),
        principals=_compile_principals(raw.principals),
        except_principals=_compile_principals(raw.not_principals),
        conditions=conditions,
        fixed_conditions=tuple(
            condition for condition, written in zip(conditions, raw.conditions, strict=True) if not _looks_at_resource(written)
        ),
    )


def _looks_at_resource(condition: tuple[str, str, tuple[str, ...]]) -> bool:
    """Whether a condition looks at tags of the resource, by its key or by a variable in its values."""
    _operator, key, values = condition
    return any(RESOURCE_TAG in text.lower() for text in (key, *values))


def _compile_actions(raw: RawStatement) -> TextMatcher:
    matchers = tuple(_compile_action(each) for each in (raw.actions or raw.not_actions or ()))
    if raw.not_actions is not None:
        return lambda action: not any(matches(action) for matches in matchers)
    if len(matchers) == 1:
        return matchers[0]
    return lambda action: any(matches(action) for matches in matchers)


def _compile_action(action: str) -> TextMatcher:
    vendor, colon, name = action.partition(":")
    if action != "*" and not (colon and name):
        raise MalformedPolicy("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
    if action != "*" and vendor != "*" and not vendor.replace("-", "").isalnum():
        raise MalformedPolicy(f"Vendor {vendor[:128]} is not valid")
    return glob_matcher(tokens_of(action.lower(), variables=False, wildcards=True))


def _compile_principals(entries: tuple[tuple[str, str], ...] | None) -> Principals | None:
    if entries is None:
        return None
    try:
        return principals_of(entries)
    except MalformedPrincipal as error:
        raise MalformedPolicy(f"Invalid principal in policy: {error}") from None


def _compile_conditions(raw: RawStatement, *, variables: bool, strict: bool) -> tuple[Condition, ...]:
    compiled: list[Condition] = []
    for operator, key, values in raw.conditions:
        try:
            compiled.append(compile_condition(operator, key, values, variables=variables, denies=not raw.allows))
        except MalformedCondition as error:
            if strict:
                raise MalformedPolicy(str(error)) from None
            compiled.append(never if raw.allows else always)
    return tuple(compiled)
