"""The model card of a bill of materials, out of SageMaker's model card, the figures and the specification of a version."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from modelyard.registry.described_version import DescribedVersion

Json = dict[str, Any]


def model_card(version: DescribedVersion, data_sets: Sequence[str]) -> Json:
    """The card; `data_sets` are the references of the components that are its data."""
    found = {
        "modelParameters": _parameters(version, data_sets),
        "quantitativeAnalysis": _analysis(version),
        "considerations": _considerations(version.card),
    }
    return {name: section for name, section in found.items() if section}


def _parameters(version: DescribedVersion, data_sets: Sequence[str]) -> Json:
    document, overview = version.document, _section(version.card, "model_overview")
    specification = document.get("InferenceSpecification", {})
    containers = specification.get("Containers", [{}])
    found: Json = {
        "task": document.get("Task") or _text(overview, "problem_type"),
        "architectureFamily": containers[0].get("Framework") if containers else None,
        "modelArchitecture": _text(overview, "algorithm_type"),
        "datasets": [{"ref": one} for one in data_sets],
        "inputs": [{"format": one} for one in specification.get("SupportedContentTypes", ())],
        "outputs": [{"format": one} for one in specification.get("SupportedResponseMIMETypes", ())],
    }
    return {name: value for name, value in found.items() if value}


def _analysis(version: DescribedVersion) -> Json:
    metrics = [{"type": name, "value": f"{value:.12g}"} for name, value in sorted(version.figures.items())]
    metrics += [one for one in _card_metrics(version.card) if one not in metrics]
    return {"performanceMetrics": metrics} if metrics else {}


def _card_metrics(card: Mapping[str, Any]) -> Iterator[Json]:
    """Metrics of training and evaluation that are single numbers or texts; `slice` tells which evaluation."""
    job = _section(_section(card, "training_details"), "training_job_details")
    for member in ("training_metrics", "user_provided_training_metrics"):
        for one in _structures(job.get(member)):
            yield {"type": str(one.get("name")), "value": str(one.get("value")), "slice": "training"}
    for evaluation in _structures(card.get("evaluation_details")):
        for group in _structures(evaluation.get("metric_groups")):
            for one in _structures(group.get("metric_data")):
                if isinstance(one.get("value"), int | float | str):
                    where = f"{evaluation.get('name')}/{group.get('name')}"
                    yield {"type": str(one.get("name")), "value": str(one["value"]), "slice": where}


def _considerations(card: Mapping[str, Any]) -> Json:
    uses, more = _section(card, "intended_uses"), _section(card, "additional_information")
    business = _section(card, "business_details")
    ethical = _text(more, "ethical_considerations")
    risk = ": ".join(filter(None, (_text(uses, "risk_rating"), _text(uses, "explanations_for_risk_rating"))))
    found: Json = {
        "users": _texts(business, "business_stakeholders"),
        "useCases": _texts(uses, "purpose_of_model", "intended_uses"),
        "technicalLimitations": _texts(uses, "factors_affecting_model_efficiency") + _texts(more, "caveats_and_recommendations"),
        "ethicalConsiderations": [{"name": text} for text in (ethical, f"Risk: {risk}" if risk else "") if text],
    }
    return {name: value for name, value in found.items() if value}


def _section(holder: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = holder.get(name)
    return found if isinstance(found, dict) else {}


def _structures(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _text(holder: Mapping[str, Any], name: str) -> str:
    found = holder.get(name)
    return found if isinstance(found, str) else ""


def _texts(holder: Mapping[str, Any], *names: str) -> list[str]:
    return [text for name in names if (text := _text(holder, name))]
