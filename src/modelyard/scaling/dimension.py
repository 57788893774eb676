"""What can be scaled: how many instances a variant has, and how many copies an inference component has."""

import re
from dataclasses import dataclass

NAMESPACE = "sagemaker"
VARIANT, COPIES = "sagemaker:variant:DesiredInstanceCount", "sagemaker:inference-component:DesiredCopyCount"
_VARIANT = re.compile(r"endpoint/([A-Za-z0-9-]{1,63})/variant/([A-Za-z0-9-]{1,63})")
_COMPONENT = re.compile(r"inference-component/([A-Za-z0-9-]{1,63})")


class NotScaled(ValueError):
    """What cannot be scaled; the text is what the client is told."""


@dataclass(frozen=True, slots=True)
class Aim:
    """One capacity that can be scaled."""

    account: str
    region: str
    resource: str
    """`endpoint/NAME/variant/VARIANT`, or `inference-component/NAME`."""
    dimension: str

    @property
    def words(self) -> str:
        """As errors of the service name it."""
        return f"service namespace: {NAMESPACE}, resource ID: {self.resource}, scalable dimension: {self.dimension}"

    @property
    def variant(self) -> tuple[str, str] | None:
        """Endpoint and variant; None when it is not a variant."""
        found = _VARIANT.fullmatch(self.resource) if self.dimension == VARIANT else None
        return None if found is None else (found[1], found[2])

    @property
    def component(self) -> str | None:
        """The inference component; None when it is none."""
        found = _COMPONENT.fullmatch(self.resource) if self.dimension == COPIES else None
        return None if found is None else found[1]

    @property
    def noun(self) -> str:
        """What is counted, as activities say it."""
        return "desired instance count" if self.dimension == VARIANT else "desired copy count"


def check(namespace: str, aim: Aim) -> None:
    """Raise NotScaled for what this server does not scale."""
    if namespace != NAMESPACE or (aim.variant is None and aim.component is None):
        raise NotScaled(
            f"Unsupported service namespace, resource type or scalable dimension: here {VARIANT} of"
            f" endpoint/NAME/variant/VARIANT and {COPIES} of inference-component/NAME are scaled."
        )
