"""Inline policies of users and roles: put, get, list, delete."""

from typing import Any

from modelyard.access import store_policies
from modelyard.access.identities import IdentityKind
from modelyard.access.policy import PolicyKind
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.identity.failures import limit_exceeded, no_such_entity
from modelyard.identity.holders import HOLDERS, Holder, checked_policy, policy_size
from modelyard.identity.pages import page
from modelyard.identity.shapes import encoded

operation = operations_of("iam")
MOST_CHARACTERS = {IdentityKind.USER: 2048, IdentityKind.ROLE: 10240}
"""Of all inline policies of one user or role together, without white space."""


def declare(holder: Holder) -> None:
    """Declare the four operations of users, or of roles."""
    put, get = f"Put{holder.title}Policy", f"Get{holder.title}Policy"
    list_all, delete = f"List{holder.title}Policies", f"Delete{holder.title}Policy"

    @operation(put, mode=Mode.WRITE, permissions=holder.needs(put))
    def put_policy(context: Context, request: dict[str, Any]) -> None:
        """Keep a policy of its own, in place of one with the same name."""
        identity = holder.find(context, request)
        name, document = request["PolicyName"], request["PolicyDocument"]
        others = [text for other, text in store_policies.inline_policies(context.tx, identity.id) if other != name]
        limit = MOST_CHARACTERS[holder.kind]
        if sum(policy_size(text) for text in (document, *others)) > limit:
            raise limit_exceeded(f"Maximum policy size of {limit} bytes exceeded for {holder.kind} {identity.name}")
        checked_policy(document, PolicyKind.IDENTITY)
        store_policies.put_inline_policy(context.tx, identity.id, name, document)

    @operation(get, mode=Mode.READ, permissions=holder.needs(get))
    def get_policy(context: Context, request: dict[str, Any]) -> dict[str, Any]:
        """A policy of its own, with its text."""
        identity = holder.find(context, request)
        document = store_policies.inline_policy(context.tx, identity.id, request["PolicyName"])
        if document is None:
            raise _no_such_policy(holder, request)
        return {holder.member: identity.name, "PolicyName": request["PolicyName"], "PolicyDocument": encoded(document)}

    @operation(list_all, mode=Mode.READ, permissions=holder.needs(list_all))
    def list_policies(context: Context, request: dict[str, Any]) -> dict[str, Any]:
        """The names of its own policies."""
        identity = holder.find(context, request)

        def load(cursor: list[Any], limit: int) -> list[str]:
            found = store_policies.inline_policies(context.tx, identity.id, cursor[0] if cursor else "", limit)
            return [name for name, _ in found]

        return page(context, list_all, request, "PolicyNames", load, lambda name: [name], lambda name: name)

    @operation(delete, mode=Mode.WRITE, permissions=holder.needs(delete))
    def delete_policy(context: Context, request: dict[str, Any]) -> None:
        """Remove one of its own policies."""
        identity = holder.find(context, request)
        if not store_policies.delete_inline_policy(context.tx, identity.id, request["PolicyName"]):
            raise _no_such_policy(holder, request)


def _no_such_policy(holder: Holder, request: dict[str, Any]) -> Exception:
    return no_such_entity(f"The {holder.kind} policy with name {request['PolicyName']} cannot be found.")


for _holder in HOLDERS:
    declare(_holder)
