"""Service models: what botocore ships as `service-2.json`, read without botocore's code (whose import costs more than a model).

A `Shape` is a definition together with the traits of the reference that leads to it, as the protocols need them.
"""

import gzip
import importlib.util
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson

from modelyard.aws.services import SPOKEN, Service

Json = Mapping[str, Any]

_OPEN = {"sqs": ("QueueAttributeName", "MessageSystemAttributeName", "MessageSystemAttributeNameForSends")}
"""Enumerations that do not say all: SQS takes names of either kind where it asks for one, and refuses others in its own words."""


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """One shape where it is used: the definition, with the traits of the reference over it."""

    name: str
    type: str
    """structure, list, map, string, integer, long, float, double, boolean, blob, timestamp."""
    traits: Json
    location_name: str | None
    """The name on the wire, where it differs from the member's."""

    @property
    def root_name(self) -> str:
        """The name of an XML document of this shape."""
        name: str = self.traits.get("locationName", self.name)
        return name

    @property
    def is_document(self) -> bool:
        """Whether any JSON value may stand here."""
        return bool(self.traits.get("document"))

    @property
    def is_event_stream(self) -> bool:
        """Whether this is a stream of events in AWS's binary framing."""
        return bool(self.traits.get("eventstream"))


@dataclass(frozen=True, slots=True)
class ErrorShape:
    """A modelled error as it goes on the wire."""

    name: str
    code: str
    """The code in query and REST XML answers; the shape's name unless the model gives another."""
    status: int | None
    shape: Shape


class ServiceModel:
    """One `service-2.json`."""

    def __init__(self, service: Service, definition: Json) -> None:
        self.service = service
        self.metadata: Json = definition["metadata"]
        self._operations: Json = definition["operations"]
        self._shapes: Json = definition["shapes"]
        for name in _OPEN.get(service.name, ()):
            self._shapes[name].pop("enum", None)

    @property
    def operations(self) -> Json:
        """The definitions of the operations by name."""
        return self._operations

    @property
    def shapes(self) -> Json:
        """The definitions of the shapes by name."""
        return self._shapes

    def shape(self, reference: Json) -> Shape:
        """The shape that `reference` leads to."""
        name = reference["shape"]
        definition = self._shapes[name]
        traits = {**definition, **reference}
        # The name that a structure has by itself is the one of a document of it, not of a member that holds it.
        named = reference if definition["type"] == "structure" else traits
        return Shape(name, definition["type"], traits, named.get("locationName"))

    def members(self, shape: Shape) -> Iterator[tuple[str, Shape]]:
        """The members of a structure, in the model's order."""
        for name, reference in shape.traits.get("members", {}).items():
            yield name, self.shape(reference)

    def element(self, shape: Shape) -> Shape:
        """What a list holds."""
        return self.shape(shape.traits["member"])

    def key_and_value(self, shape: Shape) -> tuple[Shape, Shape]:
        """What a map holds."""
        return self.shape(shape.traits["key"]), self.shape(shape.traits["value"])

    def error(self, code: str) -> ErrorShape | None:
        """The modelled error with this code or shape name."""
        return self._errors.get(code)

    @cached_property
    def _errors(self) -> Mapping[str, ErrorShape]:
        errors: dict[str, ErrorShape] = {}
        for name, definition in self._shapes.items():
            if not definition.get("exception"):
                continue
            trait = definition.get("error", {})
            error = ErrorShape(name, trait.get("code", name), trait.get("httpStatusCode"), self.shape({"shape": name}))
            errors.setdefault(error.code, error)
            errors[name] = error
        return errors


def installed_models() -> Path:
    """The directory of the models that the installed botocore ships."""
    specification = importlib.util.find_spec("botocore")
    if specification is None or not specification.submodule_search_locations:
        raise RuntimeError("botocore is not installed: its service models are this server's schema")
    return Path(specification.submodule_search_locations[0]) / "data"


def own_models() -> Path:
    """The directory of our own service models, for what AWS does not have."""
    return Path(__file__).parent / "extras"


def read_model(directory: Path, service: Service) -> ServiceModel:
    """Read the newest model of a service below `directory`, laid out as botocore's data directory."""
    return ServiceModel(service, _definition(_model_file(directory / service.name)))


def extra_services(directory: Path) -> Iterator[Service]:
    """What the models in a directory of our own say about their services."""
    for folder in sorted(path for path in directory.iterdir() if path.is_dir()):
        metadata = _definition(_model_file(folder))["metadata"]
        protocols = metadata.get("protocols") or [metadata["protocol"]]
        yield Service(
            name=folder.name,
            protocols=tuple(protocol for protocol in SPOKEN if protocol in protocols),
            signing_name=metadata.get("signingName", metadata["endpointPrefix"]),
            host=metadata["endpointPrefix"],
            api_version=metadata["apiVersion"],
            target_prefix=metadata.get("targetPrefix", ""),
        )


def _model_file(folder: Path) -> Path:
    files = sorted(folder.glob("*/service-2.json*"))
    if not files:
        raise FileNotFoundError(f"no service model in {folder}")
    return files[-1]


def _definition(file: Path) -> Json:
    content = file.read_bytes()
    definition: dict[str, Any] = orjson.loads(gzip.decompress(content) if file.suffix == ".gz" else content)
    return {part: _without_documentation(definition[part]) for part in ("metadata", "operations", "shapes")}


def _without_documentation(value: Any) -> Any:
    """The documentation is most of a model, and nothing here reads it."""
    if isinstance(value, dict):
        return {
            name: _without_documentation(item)
            for name, item in value.items()
            if not (name == "documentation" and isinstance(item, str))
        }
    return [_without_documentation(item) for item in value] if isinstance(value, list) else value
