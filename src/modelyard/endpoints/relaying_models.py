"""Requests to one of many models: which instance is asked, and what is refused."""

from collections.abc import Sequence

from modelyard.aws.errors import AwsError
from modelyard.blobs.interface import BlobsUnavailable
from modelyard.endpoints.connection import Answer
from modelyard.endpoints.instance import Container, Instance
from modelyard.endpoints.many_models import NotReady
from modelyard.endpoints.model_shelf import NotFetched
from modelyard.endpoints.refusals import invalid
from modelyard.endpoints.routes import Target, VariantRoute
from modelyard.storage.errors import StorageUnavailable

SPREAD = 4
"""Requests that an instance with the model has more than the idlest one; from then on that one loads the model too."""


def holder_of(variant: VariantRoute, model: str, but: Sequence[Target] = ()) -> Target | None:
    """The instance to ask for a model: one that has it already, unless those have much more to do than another."""
    idlest = variant.next(but) or (variant.next() if but else None)
    if idlest is None:
        return None
    holders = [one for one in variant.targets if one not in but and isinstance(one, Instance) and _has(one, model)]
    best = min(holders, key=lambda one: one.outstanding, default=None)
    return idlest if best is None or best.outstanding - idlest.outstanding >= SPREAD else best


def _has(instance: Instance, model: str) -> bool:
    return any(model in models for models in instance.models.values())


def check_target(endpoint: str, model: str | None, instance: Instance) -> None:
    """Whether a request names a model just where there are many. Raises AwsError, in AWS's words as far as they are known."""
    if model is not None and not instance.models:
        raise invalid(f"Endpoint {endpoint} is not a multi-model endpoint and does not support target model header.")
    if model is None and instance.models:
        raise invalid(f"The request is missing a target model header, which the multi-model endpoint {endpoint} requires.")


async def ask_model(container: Container, model: str, sent: bytes, seconds: float) -> Answer:
    """What one of the models of a container answers. Raises AwsError for one that cannot be had, or not in time; and NotLoaded,
    and what a connection does."""
    assert container.models is not None, "who asks has looked"
    try:
        return await container.models.ask(container.upstream, model, sent, seconds)
    except NotFetched as error:
        raise invalid(str(error)) from None
    except NotReady:
        text = f"The model {model} is not ready for inference yet: it is being downloaded and loaded. Try again."
        raise AwsError(text, code="ModelNotReadyException", status=429) from None
    except (BlobsUnavailable, StorageUnavailable) as error:
        raise AwsError(f"The model {model} cannot be read: {error}", code="ServiceUnavailable", status=503) from None
