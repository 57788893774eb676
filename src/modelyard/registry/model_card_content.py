"""The content of a model card: the sections AWS documents, and what may be in them.

A card is a JSON object. The rules below say of each member what it is; `check` holds a content against them and says
where it departs. Source: the model card JSON schema in AWS's developer guide.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson


class ContentError(Exception):
    """A content that is no model card; the text is for the client."""


class Rule(Protocol):
    """What a member may be."""

    def faults(self, value: Any, path: str) -> Iterator[str]:
        """A sentence for each thing that is wrong."""
        ...


@dataclass(frozen=True, slots=True)
class Text:
    """A text of at most so many characters, or one of a few words."""

    longest: int = 1024
    words: tuple[str, ...] = ()
    shortest: int = 0

    def faults(self, value: Any, path: str) -> Iterator[str]:
        """See Rule."""
        if not isinstance(value, str):
            yield f"{path} must be a string"
        elif self.words and value not in self.words:
            yield f"{path} must be one of {', '.join(self.words)}"
        elif not self.shortest <= len(value) <= self.longest:
            yield f"{path} must have {self.shortest} to {self.longest} characters"


@dataclass(frozen=True, slots=True)
class Number:
    """A number."""

    def faults(self, value: Any, path: str) -> Iterator[str]:
        """See Rule."""
        if not _is_number(value):
            yield f"{path} must be a number"


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of at most so many elements."""

    element: Rule
    most: int = 1000
    fewest: int = 0

    def faults(self, value: Any, path: str) -> Iterator[str]:
        """See Rule."""
        if not isinstance(value, list):
            yield f"{path} must be a list"
            return
        if not self.fewest <= len(value) <= self.most:
            yield f"{path} must have {self.fewest} to {self.most} elements"
        for position, element in enumerate(value):
            yield from self.element.faults(element, f"{path}[{position}]")


@dataclass(frozen=True, slots=True)
class Struct:
    """An object with these members and no others."""

    members: Mapping[str, Rule]
    required: tuple[str, ...] = ()

    def faults(self, value: Any, path: str) -> Iterator[str]:
        """See Rule."""
        if not isinstance(value, dict):
            yield f"{path} must be an object"
            return
        for name in self.required:
            if name not in value:
                yield f"{path} must have the member {name}"
        for name, inner in value.items():
            if name in self.members:
                yield from self.members[name].faults(inner, f"{path}.{name}" if path else name)
            else:
                yield f"{path or 'The content'} has an unknown member {name}"


@dataclass(frozen=True, slots=True)
class MapOf:
    """An object with any members, all alike."""

    value: Rule

    def faults(self, value: Any, path: str) -> Iterator[str]:
        """See Rule."""
        if not isinstance(value, dict):
            yield f"{path} must be an object"
            return
        for name, inner in value.items():
            yield from self.value.faults(inner, f"{path}.{name}")


@dataclass(frozen=True, slots=True)
class Anything:
    """Any value: what AWS fills in itself from a model package, and changes with its own API."""

    def faults(self, value: Any, path: str) -> Iterator[str]:
        """See Rule."""
        return iter(())


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric of an evaluation: its type says what its value is."""

    common: Struct = field(
        default_factory=lambda: Struct(
            {
                "name": Text(255, shortest=1),
                "notes": Text(),
                "type": Text(words=("number", "string", "boolean", "linear_graph", "bar_chart", "matrix")),
                "value": Anything(),
                "x_axis_name": Anything(),
                "y_axis_name": Anything(),
            },
            required=("name", "type", "value"),
        )
    )

    def faults(self, value: Any, path: str) -> Iterator[str]:
        """See Rule."""
        found = list(self.common.faults(value, path))
        yield from found
        if not found and not _value_fits(value["type"], value["value"]):
            yield f"{path}.value does not fit its type {value['type']}"


def _value_fits(type_: str, value: Any) -> bool:
    if type_ in ("number", "string", "boolean"):
        # AWS's schema takes any of the three for each.
        return _is_number(value) or isinstance(value, bool) or (isinstance(value, str) and len(value) <= 63)
    rule: Rule = ListOf(Number(), fewest=1)
    if type_ == "linear_graph":
        rule = ListOf(ListOf(Number(), most=2, fewest=2), fewest=1)
    elif type_ == "matrix":
        rule = ListOf(ListOf(Number(), most=20, fewest=1), most=20, fewest=1)
    return not any(True for _ in rule.faults(value, ""))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_LONG = Text(2048)
_TRAINING_METRIC = Struct({"name": Text(255, shortest=1), "notes": Text(), "value": Number()}, required=("name", "value"))
_HYPER_PARAMETER = Struct({"name": Text(255, shortest=1), "value": Text(255)}, required=("name", "value"))

CARD = Struct(
    {
        "model_overview": Struct(
            {
                "model_id": Text(),
                "model_name": Text(),
                "model_description": Text(),
                "model_version": Number(),
                "problem_type": Text(),
                "algorithm_type": Text(),
                "model_creator": Text(),
                "model_owner": Text(),
                "model_artifact": ListOf(Text(), most=15),
                "inference_environment": Struct({"container_image": ListOf(Text(), most=15)}),
            }
        ),
        "model_package_details": Anything(),
        "intended_uses": Struct(
            {
                "purpose_of_model": _LONG,
                "intended_uses": _LONG,
                "factors_affecting_model_efficiency": _LONG,
                "risk_rating": Text(words=("High", "Medium", "Low", "Unknown")),
                "explanations_for_risk_rating": _LONG,
            }
        ),
        "business_details": Struct({"business_problem": _LONG, "business_stakeholders": _LONG, "line_of_business": _LONG}),
        "training_details": Struct(
            {
                "objective_function": Struct(
                    {
                        "function": Struct(
                            {"function": Text(words=("Maximize", "Minimize")), "facet": Text(63), "condition": Text(63)}
                        ),
                        "notes": Text(),
                    }
                ),
                "training_observations": Text(),
                "training_job_details": Struct(
                    {
                        "training_arn": Text(),
                        "training_datasets": ListOf(Text(), most=15),
                        "training_environment": Struct({"container_image": ListOf(Text(), most=15)}),
                        "training_metrics": ListOf(_TRAINING_METRIC, most=50),
                        "user_provided_training_metrics": ListOf(_TRAINING_METRIC, most=50),
                        "hyper_parameters": ListOf(_HYPER_PARAMETER, most=100),
                        "user_provided_hyper_parameters": ListOf(_HYPER_PARAMETER, most=100),
                    }
                ),
            }
        ),
        "evaluation_details": ListOf(
            Struct(
                {
                    "name": Text(63, shortest=1),
                    "evaluation_observation": Text(2096),
                    "evaluation_job_arn": Text(256),
                    "datasets": ListOf(Text(), most=10),
                    "metadata": MapOf(Text()),
                    "metric_groups": ListOf(
                        Struct({"name": Text(63, shortest=1), "metric_data": ListOf(Metric())}, required=("name", "metric_data"))
                    ),
                },
                required=("name",),
            )
        ),
        "additional_information": Struct(
            {"ethical_considerations": _LONG, "caveats_and_recommendations": _LONG, "custom_details": MapOf(Text())}
        ),
    }
)

MOST_FAULTS = 5
"""Faults that one answer names."""
DEEPEST = 32
"""Levels of a content; the schema has eight, and what it leaves open shall not go on without end."""


def check(content: str) -> dict[str, Any]:
    """The sections of a content. Raises ContentError when it is no model card."""
    try:
        card = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise ContentError(f"Model card content is not valid JSON: {error}.") from None
    if not isinstance(card, dict):
        raise ContentError("Model card content must be a JSON object.")
    if _levels(card) > DEEPEST:
        raise ContentError(f"Model card content has more than {DEEPEST} levels.")
    found = []
    for fault in CARD.faults(card, ""):
        found.append(fault)
        if len(found) == MOST_FAULTS:
            break
    if found:
        raise ContentError(f"Model card content does not follow the model card JSON schema: {'; '.join(found)}.")
    return card


def _levels(card: dict[str, Any]) -> int:
    """How deep objects and lists are in one another, counted no further than one more than DEEPEST."""
    level: list[Any] = [card]
    for depth in range(DEEPEST + 1):
        inner = [child for one in level for child in (one.values() if isinstance(one, dict) else one)]
        level = [child for child in inner if isinstance(child, dict | list)]
        if not level:
            return depth + 1
    return DEEPEST + 1


_METADATA = {
    "model_overview": ("model_id", "model_name"),
    "intended_uses": ("risk_rating",),
    "model_package_details": ("model_package_group_name", "model_package_arn"),
}


def metadata_only(content: str) -> str:
    """What of a content a caller sees who asks for IncludedData=MetadataOnly."""
    card = orjson.loads(content)
    kept: dict[str, dict[str, Any]] = {}
    for section, members in _METADATA.items():
        inner = card.get(section)
        if isinstance(inner, dict):
            found = {member: inner[member] for member in members if member in inner}
            if found:
                kept[section] = found
    return orjson.dumps(kept).decode()


def searchable(content: str) -> dict[str, str]:
    """The members of a search result that come out of a card's content."""
    card = orjson.loads(metadata_only(content))
    places = {
        "ModelId": ("model_overview", "model_id"),
        "RiskRating": ("intended_uses", "risk_rating"),
        "ModelPackageGroupName": ("model_package_details", "model_package_group_name"),
    }
    found = {member: card.get(section, {}).get(name) for member, (section, name) in places.items()}
    return {member: value for member, value in found.items() if isinstance(value, str)}
