"""Digests of images for other parts, looked up as their caller."""

from modelyard.access.evaluation import decide
from modelyard.access.permission import Permission
from modelyard.dispatch.artifacts import Denied, NotKeptHere, NotLookedUp
from modelyard.dispatch.context import Context
from modelyard.dispatch.image_lookup import FoundImage, ImageAddress, finds_images
from modelyard.images import store
from modelyard.images.permissions import repository_resource
from modelyard.images.repository import Repository, RepositoryName
from modelyard.runtime.environments.built import NotBuilt, environment_of
from modelyard.storage.interface import Transaction


class Finder:
    """Finds images of the repositories here (`dispatch.image_lookup.ImageFinder`)."""

    def find(self, context: Context, tx: Transaction, address: ImageAddress) -> str | None:
        """The digest of an image, None for one that is not here, or that the caller may not look at."""
        at = RepositoryName(address.account, address.region, address.repository)
        repository = store.repository(tx, at)
        if repository is None:
            return None
        permission = Permission("ecr:DescribeImages", repository_resource(context.within(tx), at))
        if not decide(context.principal, permission, context.facts).allowed:
            return None
        return _digest(tx, repository, address)

    def pull(self, context: Context, tx: Transaction, address: ImageAddress) -> str:
        """The digest of an image that the caller may pull. Raises NotKeptHere, Denied, NotLookedUp."""
        at = RepositoryName(address.account, address.region, address.repository)
        repository = store.repository(tx, at)
        if repository is None:
            raise NotKeptHere(f"There is no repository {at.uri} here.")
        permission = Permission("ecr:BatchGetImage", repository_resource(context.within(tx), at))
        decision = decide(context.principal, permission, context.facts)
        if not decision.allowed:
            raise Denied(f"The caller may not pull from {at.uri}.", permission, decision)
        digest = _digest(tx, repository, address)
        if digest is None:
            name = f":{address.tag}" if address.digest is None else f"@{address.digest}"
            raise NotLookedUp(f"There is no image {at.uri}{name}.")
        return digest

    def resolve(self, context: Context, tx: Transaction, uri: str, address: ImageAddress | None) -> FoundImage | None:
        """What the catalogue has: the digest of the environment that was built, or which recipe has to be. It is the same for
        every caller, as Modelyard itself is; but a repository here goes before it, also when the caller may not look at it."""
        if address is not None:
            at = RepositoryName(address.account, address.region, address.repository)
            if store.repository(tx, at) is not None:
                return None
        found = environment_of(uri, context.settings.data)
        if isinstance(found, NotBuilt):
            return None if found.recipe is None else FoundImage(None, found.reason)
        return FoundImage(found.digest)


def _digest(tx: Transaction, repository: Repository, address: ImageAddress) -> str | None:
    if address.digest is not None:
        image = store.image(tx, repository, address.digest)
    else:
        image = store.tagged_image(tx, repository, address.tag)
    return None if image is None else image.digest


finds_images(Finder())
