"""Calls of operations from a command as any AWS client makes them: over HTTP, with the credentials of the shell."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from modelyard.aws.errors import AwsError
from modelyard.aws.models import own_models
from modelyard.cli.calling import Call
from modelyard.cli.failure import CommandFailure


class _Client:
    def __init__(self, session: Any, endpoint: str, region: str) -> None:
        self._session = session
        self._endpoint = endpoint
        self._clients: dict[str, Any] = {}
        self.region = region
        identity = self("sts", "GetCallerIdentity")
        self.account: str = identity["Account"]
        self.arn: str = identity["Arn"]

    def __call__(self, service: str, operation: str, **request: Any) -> Any:
        from botocore import xform_name
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer = getattr(self._client(service), xform_name(operation))(**request)
        except ClientError as error:
            told = error.response["Error"]
            raise AwsError(told.get("Message") or str(error), code=told.get("Code", "")) from error
        except BotoCoreError as error:
            raise CommandFailure(f"{operation} could not be asked of {self._endpoint}: {error}") from error
        answer.pop("ResponseMetadata", None)
        return answer

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = self._session.create_client(service, endpoint_url=self._endpoint, region_name=self.region)
        return self._clients[service]

    def close(self) -> None:
        for client in self._clients.values():
            client.close()


@contextmanager
def as_client(endpoint: str, region: str | None, account: str | None = None) -> Iterator[Call]:
    """Operations at an address, as whoever the AWS variables (or the profile) of this shell say.

    Raises CommandFailure, also when they are of another account than `account`.
    """
    from botocore.session import Session  # takes longer to load than most commands to run

    session = Session()
    session.get_component("data_loader").search_paths.append(str(own_models()))
    region = region or session.get_config_variable("region")
    if not region:
        raise CommandFailure("No region is set: give --region, or set AWS_REGION.")
    client = _Client(session, endpoint, region)
    try:
        if account not in (None, client.account):
            raise CommandFailure(f"This shell has credentials of account {client.account}, not of {account}.")
        yield client
    finally:
        client.close()
