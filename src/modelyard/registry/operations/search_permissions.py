"""What Search lets its caller find: of each kind of resource those that policies grant sagemaker:Search on."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from modelyard.access.permission import Permission, Resource
from modelyard.dispatch.context import Context
from modelyard.dispatch.seeing import Seeing
from modelyard.registry import store
from modelyard.registry.group import GroupName
from modelyard.registry.model_card import CardName
from modelyard.registry.names import package_name
from modelyard.registry.search import Permitted
from modelyard.registry.search_item import Item
from modelyard.registry.search_store import given_key

ACTION = "sagemaker:Search"
ARN_KINDS = {"ModelPackageGroup": "model-package-group", "ModelPackage": "model-package", "ModelCard": "model-card"}
Names = Callable[[Item], tuple[str, ...]]


def on_found(context: Context, request: dict[str, Any]) -> Iterable[Permission]:
    """Searching a kind of resource."""
    yield _permission(context, request["Resource"])


def _permission(context: Context, kind: str) -> Permission:
    # Whoever is granted it on `*` alone may search kinds that have no ARN here, too.
    name = ARN_KINDS.get(kind)
    listing = "" if name is None else f"arn:aws:sagemaker:{context.region}:{context.account}:{name}/"
    return Permission(ACTION, Resource("*", context.account), listing=listing)


def found_by(context: Context, kind: str) -> Permitted | None:
    """Those of some resources that the caller may find; None for a caller who may find all."""
    seeing = Seeing(context, _permission(context, kind))
    if seeing.all:
        return None
    return lambda items: seeing.among(items, _names(context, kind, items))


def _names(context: Context, kind: str, items: Sequence[Item]) -> Names:
    """How resources are called in policies, and whose tags count for them."""
    account, region = context.account, context.region
    if kind == "ModelCard":
        return lambda item: (CardName(account, region, item.key).arn,)
    if kind == "ModelPackageGroup":
        written = store.group_names(context.tx, account, region, [item.key for item in items])
        return lambda item: (GroupName(account, region, written.get(item.key, item.key)).arn,)
    packages = {item.id: package_name(given_key(item.key, account, region), account, region) for item in items}
    written = store.group_names(context.tx, account, region, sorted({at.folded for at in packages.values() if at.version}))

    def names(item: Item) -> tuple[str, ...]:
        at = packages[item.id]
        return (at.arn, GroupName(account, region, written.get(at.folded, at.folded)).arn) if at.version else (at.arn,)

    return names
