"""Models for jobs of other parts: planned as deployments are, and run by the same engine (dispatch/model_lending.py)."""

from dataclasses import asdict, replace

from modelyard.dispatch.context import Context
from modelyard.dispatch.dispatcher import Dispatcher
from modelyard.dispatch.model_lending import Borrower, Terms, lends_models
from modelyard.endpoints.deployment import hosted_from
from modelyard.endpoints.lent import LentInstance
from modelyard.endpoints.model import Document, Name
from modelyard.endpoints.operations import planning
from modelyard.endpoints.serving import Serving


class Lending:
    """What this part lends (`dispatch.model_lending.Lender`)."""

    def prepare(self, dispatcher: Dispatcher) -> None:
        """Make the engine that runs models, if it is not there."""
        Serving.of(dispatcher)

    def plan(self, context: Context, held_as: str, terms: Terms) -> Document:
        """What is to run, put down whole. Raises ValidationException."""
        hosted = planning.hosted_for_job(context, held_as, terms.model_name, terms.instance_type)
        containers = []
        for one in hosted.containers:
            environment = {**one.definition.get("Environment", {}), **terms.environment}
            containers.append(replace(one, definition={**one.definition, "Environment": environment}))
        return {"Role": hosted.role, "Model": hosted.model_arn, "Hosted": asdict(replace(hosted, containers=containers))}

    def lend(self, dispatcher: Dispatcher, borrower: Borrower, plan: Document) -> LentInstance:
        """Begin to start an instance."""
        at = Name(borrower.account, borrower.region, borrower.kind, borrower.name)
        return Serving.of(dispatcher).lend(at, hosted_from(plan["Hosted"]))


lends_models(Lending())
