"""Random resources and random searches, and what a search means, written down a second time and as plainly as can be."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from modelyard.registry.search_schema import PropertyType, Schema

T0 = 1_700_000_000.0
LONG = "s3://a-bucket-with-a-long-name/and/a/long/prefix/that/goes/on/and/on/model.tar.gz"
WORDS = ["a", "b", "A", "ab", "a,b", "b%", "_", "\x01x", "!x", "a\tb", "", "é", "\U0001f600", LONG, LONG + "2", "true"]
NEEDLES = [*(word for word in WORDS if word), "model", "a, b ,x", "A,ab", "%", f"{LONG}, a", "zzz"]
NUMBERS = [-1.5, 0.0, 0.1, 0.5, 1.0, 2.0, 3.0, 1e6]
TIMES = [T0, T0 + 0.5, T0 + 1, T0 + 60, T0 + 60.25]
MAPS = {"Meta.": PropertyType.TEXT, "Tags.": PropertyType.TEXT, "Metrics.": PropertyType.NUMBER}

SCHEMA = Schema(
    types={
        "Name": PropertyType.TEXT,
        "Size": PropertyType.NUMBER,
        "Flag": PropertyType.BOOLEAN,
        "SupportedContentTypes": PropertyType.TEXT,
        "Stage.Name": PropertyType.TEXT,
        "Parts.Kind": PropertyType.TEXT,
        "Parts.Size": PropertyType.NUMBER,
        "Parts.Files": PropertyType.TEXT,
        "CreationTime": PropertyType.TIME,
        "LastModifiedTime": PropertyType.TIME,
    },
    maps=MAPS,
    lists=frozenset({"Parts"}),
    members=frozenset({"Name", "Size", "Flag", "SupportedContentTypes", "Stage", "Parts", "Meta", "Tags", "CreationTime"}),
)
NAMES = [*SCHEMA.types, "Meta.k", "Meta.other", "Tags.team", "Metrics.accuracy", "Metrics.loss"]


@dataclass
class Resource:
    """What a test indexes."""

    document: dict[str, Any]
    tags: dict[str, str]
    metrics: dict[str, float]
    created: float
    modified: float
    gone: bool = False
    values: dict[str, list[Any]] = field(init=False)

    def __post_init__(self) -> None:
        flat = _flat(self.document)
        flat.update({f"Tags.{key}": [value] for key, value in self.tags.items()})
        flat.update({f"Metrics.{key}": [value] for key, value in self.metrics.items()})
        flat["CreationTime"], flat["LastModifiedTime"] = [self.created], [self.modified]
        self.values = flat


def _flat(value: Any) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}

    def go(path: str, inner: Any) -> None:
        match inner:
            case dict():
                for name, member in inner.items():
                    go(f"{path}.{name}" if path else name, member)
            case list():
                for member in inner:
                    go(path, member)
            case bool():
                found.setdefault(path, []).append(str(inner).lower())
            case _:
                found.setdefault(path, []).append(inner)

    go("", value)
    return found


def _optional(**members: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=members)


words, numbers = st.sampled_from(WORDS), st.sampled_from(NUMBERS)
times = st.sampled_from(TIMES)
SAMPLES = [
    Resource(
        {"Name": word, "Size": NUMBERS[at % 8], "Flag": at % 3 == 0, "SupportedContentTypes": [word, "b"], "Meta": {"k": word}}
        | ({"Parts": [{"Kind": word, "Size": at, "Files": [word, WORDS[at - 1]]}, {"Kind": "b", "Size": 3}]} if at % 2 else {})
        | ({"Stage": {"Name": WORDS[at - 2]}} if at % 4 else {}),
        {"team": WORDS[at - 3]} if at % 5 else {},
        {"accuracy": NUMBERS[at % 7]} if at % 3 else {"loss": 0.5},
        TIMES[at % 5],
        TIMES[at % 4],
    )
    for at, word in enumerate(WORDS)
]
"""One resource for each of the words, with it in several places."""
documents = _optional(
    Name=words,
    Size=numbers | st.just(7),
    Flag=st.booleans(),
    SupportedContentTypes=st.lists(words, max_size=2),
    Stage=_optional(Name=words),
    Parts=st.lists(_optional(Kind=words, Size=numbers, Files=st.lists(words, max_size=2)), max_size=3),
    Meta=_optional(k=words, other=words),
)
resources = st.builds(
    Resource,
    document=documents,
    tags=_optional(team=words),
    metrics=_optional(accuracy=numbers, loss=numbers),
    created=times,
    modified=times,
    gone=st.sampled_from([False, False, False, True]),
)


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).replace(tzinfo=None).isoformat()


_COMPARISONS = ["Equals", "NotEquals", "GreaterThan", "GreaterThanOrEqualTo", "LessThan", "LessThanOrEqualTo"]
_OPERATORS = {
    PropertyType.TEXT: (["Equals", "NotEquals", "In", "Contains"], NEEDLES),
    PropertyType.BOOLEAN: (["Equals", "NotEquals"], ["true", "False"]),
    PropertyType.NUMBER: (_COMPARISONS, [*map(str, NUMBERS), "1e3"]),
    PropertyType.TIME: (_COMPARISONS, [*map(_iso, TIMES), str(T0), "2023-11-14T22:13:20Z", "2023-11-14T23:13:20.5+01:00"]),
}


def _filter(name: str, type_: PropertyType) -> st.SearchStrategy[dict[str, Any]]:
    exists = st.sampled_from(["Exists", "NotExists"]).map(lambda operator: {"Name": name, "Operator": operator})
    operators, values = _OPERATORS[type_]
    valued = st.fixed_dictionaries(
        {"Name": st.just(name), "Operator": st.sampled_from(operators), "Value": st.sampled_from(values)}
    )
    plain = st.fixed_dictionaries({"Name": st.just(name), "Value": st.sampled_from(values)})
    return valued | valued | plain | exists


def every_filter() -> list[dict[str, Any]]:
    """All filters there are on the properties of the samples."""
    found: list[dict[str, Any]] = []
    for name in NAMES:
        type_ = _type(name)
        found += [{"Name": name, "Operator": operator} for operator in ("Exists", "NotExists")]
        operators, values = _OPERATORS[type_]
        found += [{"Name": name, "Operator": operator, "Value": value} for operator in operators for value in values]
    return found


filters = st.sampled_from(NAMES).flatmap(lambda name: _filter(name, _type(name)))
nested = st.builds(
    lambda inner: {"NestedPropertyName": "Parts", "Filters": inner},
    st.lists(
        st.sampled_from(["Parts.Kind", "Parts.Size", "Parts.Files"]).flatmap(lambda name: _filter(name, _type(name))),
        min_size=1,
        max_size=2,
    ),
)


def _type(name: str) -> PropertyType:
    found = SCHEMA.type_of(name)
    assert found is not None
    return found


def _level(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {"Filters": st.lists(filters, min_size=1, max_size=2)},
        optional={
            "NestedFilters": st.lists(nested, min_size=1, max_size=1),
            "SubExpressions": st.lists(inner, min_size=1, max_size=2),
            "Operator": st.sampled_from(["And", "Or"]),
        },
    )


expressions = st.recursive(_level(st.nothing().map(dict)), _level, max_leaves=3)


def matches(expression: dict[str, Any], resource: Resource) -> bool:
    """Whether a resource is in the answer to an expression."""
    verdicts = [_passes(one, resource.values, one["Name"]) for one in expression.get("Filters", [])]
    for one in expression.get("NestedFilters", []):
        parts = [_flat({"Parts": [part]}) for part in resource.document.get("Parts", [])]
        verdicts.append(any(all(_passes(inner, part, inner["Name"]) for inner in one["Filters"]) for part in parts))
    verdicts += [matches(one, resource) for one in expression.get("SubExpressions", [])]
    return any(verdicts) if expression.get("Operator") == "Or" else all(verdicts)


def _passes(condition: dict[str, Any], values: dict[str, list[Any]], name: str) -> bool:
    mine, text = values.get(name, []), condition.get("Value", "")
    operator = condition.get("Operator", "Equals")
    type_ = _type(name)
    if operator in ("Exists", "NotExists"):
        return bool(mine) == (operator == "Exists")
    if type_ is PropertyType.TEXT:
        passing = {
            "Equals": lambda value: value == text,
            "NotEquals": lambda value: value == text,
            "In": lambda value: value in [part.strip() for part in text.split(",")],
            "Contains": lambda value: text in value,
        }[operator]
    elif type_ is PropertyType.BOOLEAN:
        passing = lambda value: value == text.lower()  # noqa: E731
    else:
        bound = float(text) if type_ is PropertyType.NUMBER else _moment(text)
        second = type_ is PropertyType.TIME and bound == int(bound)
        passing = {
            "Equals": lambda value: int(value) == bound if second else value == bound,
            "NotEquals": lambda value: int(value) == bound if second else value == bound,
            "GreaterThan": lambda value: value > bound,
            "GreaterThanOrEqualTo": lambda value: value >= bound,
            "LessThan": lambda value: value < bound,
            "LessThanOrEqualTo": lambda value: value <= bound,
        }[operator]
    return any(map(passing, mine)) != (operator == "NotEquals")


def _moment(text: str) -> float:
    if "T" not in text:
        return float(text)
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def expected(resources: Sequence[Resource], expression: dict[str, Any] | None, sort_by: str, descending: bool) -> list[int]:
    """The positions of the resources in the answer, in its order; resources were indexed in the order of the sequence."""
    found = [
        (position, one)
        for position, one in enumerate(resources)
        if not one.gone and (expression is None or matches(expression, one))
    ]
    first = max if descending else min
    having = [(first(one.values[sort_by]), position) for position, one in found if one.values.get(sort_by)]
    lacking = [(one.modified, position) for position, one in found if not one.values.get(sort_by)]
    return [position for part in (having, lacking) for _, position in sorted(part, reverse=descending)]


def parts_used(expression: dict[str, Any]) -> int:
    """How many filters, nested filters and sub-expressions are in an expression."""
    own = [
        *expression.get("Filters", []),
        *(part for one in expression.get("NestedFilters", []) for part in (one, *one["Filters"])),
    ]
    return len(own) + sum(1 + parts_used(one) for one in expression.get("SubExpressions", []))


def contains_used(expression: dict[str, Any]) -> int:
    """How often the operator Contains is in an expression."""
    own = [*expression.get("Filters", []), *(inner for one in expression.get("NestedFilters", []) for inner in one["Filters"])]
    return sum(one.get("Operator") == "Contains" for one in own) + sum(map(contains_used, expression.get("SubExpressions", [])))
