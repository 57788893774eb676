"""Connections and API destinations: their operations, and events that arrive at an HTTP endpoint."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from tests.contract.triggers.conftest import PATTERN, Call, refused
from tests.harness import ACCOUNT, START, Yard

pytestmark = pytest.mark.documented

KEY = {"ApiKeyAuthParameters": {"ApiKeyName": "X-Key", "ApiKeyValue": "only-we-know"}}
ROLE = f"arn:aws:iam::{ACCOUNT}:role/hooks"


class Hook:
    """An endpoint: what it answers next, and what it got."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.got: list[tuple[dict[str, str], bytes]] = []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(hook.statuses.pop(0) if hook.statuses else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"


@pytest.fixture
def hook() -> Iterator[Hook]:
    """An endpoint on this machine."""
    made = Hook()
    thread = Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


@pytest.fixture
def role(iam: Call) -> Iterator[str]:
    """A role that EventBridge may take up to call API destinations."""
    trust = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sts:AssumeRole"}
    call = {"Effect": "Allow", "Action": "events:InvokeApiDestination", "Resource": "*"}

    def document(statement: object) -> str:
        return json.dumps({"Version": "2012-10-17", "Statement": [statement]})

    iam("CreateRole", RoleName="hooks", AssumeRolePolicyDocument=document(trust))
    iam("PutRolePolicy", RoleName="hooks", PolicyName="call", PolicyDocument=document(call))
    yield ROLE
    iam("DeleteRolePolicy", RoleName="hooks", PolicyName="call")
    iam("DeleteRole", RoleName="hooks")


@pytest.fixture
def destination(events: Call, hook: Hook) -> str:
    """The ARN of an API destination at the endpoint."""
    connection = events("CreateConnection", Name="key", AuthorizationType="API_KEY", AuthParameters=KEY)["ConnectionArn"]
    created = events(
        "CreateApiDestination", Name="hook", ConnectionArn=connection, InvocationEndpoint=hook.url, HttpMethod="POST"
    )
    arn: str = created["ApiDestinationArn"]
    return arn


def test_the_life_of_a_connection(events: Call, yard_in_process: Yard) -> None:
    """Made, changed, listed and deleted; its secrets are neither answered nor in the database."""
    http = {
        "HeaderParameters": [
            {"Key": "X-Open", "Value": "shown", "IsValueSecret": False},
            {"Key": "X-Closed", "Value": "a-hidden-value", "IsValueSecret": True},
        ]
    }
    created = events(
        "CreateConnection", Name="key", AuthorizationType="API_KEY", AuthParameters={**KEY, "InvocationHttpParameters": http}
    )
    assert created["ConnectionState"] == "AUTHORIZED"
    assert created["ConnectionArn"].startswith(f"arn:aws:events:us-east-1:{ACCOUNT}:connection/key/")
    found = events("DescribeConnection", Name="key")
    assert found["AuthParameters"] == {
        "ApiKeyAuthParameters": {"ApiKeyName": "X-Key"},
        "InvocationHttpParameters": {
            "HeaderParameters": [
                {"Key": "X-Open", "Value": "shown", "IsValueSecret": False},
                {"Key": "X-Closed", "IsValueSecret": True},
            ]
        },
    }
    with yard_in_process.house.storage.read() as tx:
        kept = [*tx.all("SELECT document, secrets FROM event_connection"), *tx.all("SELECT document FROM audit_record")]
    for secret in (b"only-we-know", b"a-hidden-value"):
        assert all(secret not in (value if isinstance(value, bytes) else value.encode()) for row in kept for value in row)
    basic = {"BasicAuthParameters": {"Username": "u", "Password": "p"}}
    events("UpdateConnection", Name="key", AuthorizationType="BASIC", AuthParameters=basic, Description="d")
    changed = events("DescribeConnection", Name="key")
    assert changed["AuthParameters"]["BasicAuthParameters"] == {"Username": "u"}
    assert (changed["AuthorizationType"], changed["Description"], changed["ConnectionArn"]) == (
        "BASIC",
        "d",
        found["ConnectionArn"],
    )
    assert "ApiKeyAuthParameters" not in changed["AuthParameters"]
    assert [each["Name"] for each in events("ListConnections", NamePrefix="k")["Connections"]] == ["key"]
    with refused("ResourceAlreadyExistsException"):
        events("CreateConnection", Name="key", AuthorizationType="API_KEY", AuthParameters=KEY)
    assert events("DeleteConnection", Name="key")["ConnectionState"] == "DELETING"
    with refused("ResourceNotFoundException"):
        events("DescribeConnection", Name="key")


def test_what_is_no_connection(events: Call) -> None:
    """The parameters have to be those of the authorisation type; OAuth is refused in words."""
    for kind, parameters in (("BASIC", KEY), ("API_KEY", {}), ("OAUTH_CLIENT_CREDENTIALS", KEY)):
        with refused("ValidationException", "Parameter AuthParameters is not valid."):
            events("CreateConnection", Name="key", AuthorizationType=kind, AuthParameters=parameters)
    events("CreateConnection", Name="key", AuthorizationType="API_KEY", AuthParameters=KEY)
    with refused("ValidationException"):
        events("UpdateConnection", Name="key", AuthParameters={"BasicAuthParameters": {"Username": "u"}})


def test_the_life_of_an_api_destination(events: Call, destination: str) -> None:
    """Made, described, changed, listed by connection, deleted."""
    found = events("DescribeApiDestination", Name="hook")
    assert found["ApiDestinationArn"] == destination
    assert (found["ApiDestinationState"], found["InvocationRateLimitPerSecond"], found["CreationTime"]) == ("ACTIVE", 300, START)
    events("UpdateApiDestination", Name="hook", InvocationEndpoint="https://example.com/*", InvocationRateLimitPerSecond=5)
    changed = events("DescribeApiDestination", Name="hook")
    assert (changed["InvocationEndpoint"], changed["InvocationRateLimitPerSecond"]) == ("https://example.com/*", 5)
    listed = events("ListApiDestinations", ConnectionArn=found["ConnectionArn"])["ApiDestinations"]
    assert [each["Name"] for each in listed] == ["hook"]
    other = found["ConnectionArn"] + "0"
    assert events("ListApiDestinations", ConnectionArn=other)["ApiDestinations"] == []
    with refused("ResourceNotFoundException"):
        events("UpdateApiDestination", Name="hook", ConnectionArn=other)
    with refused("ValidationException", "Parameter InvocationEndpoint is not valid."):
        events("UpdateApiDestination", Name="hook", InvocationEndpoint="ftp://example.com/")
    events("DeleteApiDestination", Name="hook")
    with refused("ResourceNotFoundException"):
        events("DescribeApiDestination", Name="hook")


def test_an_event_reaches_an_endpoint(make_rule: Call, destination: str, role: str, put: Call, deliver: Call, hook: Hook) -> None:
    """With the key, and a signature that the endpoint can check."""
    make_rule(destination, RoleArn=role)
    event_id = put(7)
    deliver()
    ((headers, body),) = hook.got
    assert json.loads(body)["id"] == event_id
    assert headers["x-key"] == "only-we-know"
    signed = headers["x-modelyard-timestamp"].encode() + b"." + body
    expected = hmac.new(b"only-we-know", signed, hashlib.sha256).hexdigest()
    assert headers["x-modelyard-signature"] == f"v1={expected}"
    assert headers["x-modelyard-delivery"].startswith(event_id)


def test_endpoints_that_fail_are_tried_again(
    make_rule: Call, destination: str, role: str, put: Call, deliver: Call, hook: Hook, yard_in_process: Yard
) -> None:
    """In order, with the same delivery id, and the next event only after the one before it."""
    make_rule(destination, RoleArn=role)
    hook.statuses = [500, 429]
    put(1)
    put(2)
    for _ in range(3):
        deliver()
        yard_in_process.clock.advance(10)
    assert [json.loads(body)["detail"]["number"] for _, body in hook.got] == [1, 1, 1, 2]
    assert len({headers["x-modelyard-delivery"] for headers, _ in hook.got[:3]}) == 1


def test_endpoints_that_refuse_are_dead_lettered(
    make_rule: Call, destination: str, role: str, put: Call, deliver: Call, hook: Hook, make_queue: Call, received: Call
) -> None:
    """A redirect is not followed; like other refusals it is not tried again."""
    make_rule(destination, RoleArn=role, DeadLetterConfig={"Arn": make_queue("dead")})
    hook.statuses = [302, 403]
    put(1)
    put(2)
    deliver()
    assert len(hook.got) == 2
    reasons = [message["MessageAttributes"]["ERROR_MESSAGE"]["StringValue"] for message in received("dead")]
    assert reasons == ["The endpoint answered 302.", "The endpoint answered 403."]


def test_the_role_has_to_be_allowed(
    iam: Call, make_rule: Call, destination: str, role: str, put: Call, deliver: Call, hook: Hook, yard_in_process: Yard
) -> None:
    """Without events:InvokeApiDestination nothing is sent."""
    iam("DeleteRolePolicy", RoleName="hooks", PolicyName="call")
    make_rule(destination, RoleArn=role)
    put(1)
    deliver()
    assert hook.got == []
    with yard_in_process.house.storage.read() as tx:
        ((error,),) = tx.all("SELECT last_error FROM event_delivery")
    assert "events:InvokeApiDestination" in error
    document = {"Effect": "Allow", "Action": "events:InvokeApiDestination", "Resource": destination}
    iam(
        "PutRolePolicy",
        RoleName="hooks",
        PolicyName="call",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [document]}),
    )
    yard_in_process.clock.advance(5)
    deliver()
    assert len(hook.got) == 1


def test_an_endpoint_may_take_templates(events: Call, destination: str, role: str, put: Call, deliver: Call, hook: Hook) -> None:
    """A chat's message, made from an event."""
    transformer: dict[str, Any] = {
        "InputPathsMap": {"n": "$.detail.number"},
        "InputTemplate": '{"text": "number <n> was sold"}',
    }
    events("PutRule", Name="chat", EventPattern=PATTERN)
    events("PutTargets", Rule="chat", Targets=[{"Id": "1", "Arn": destination, "RoleArn": role, "InputTransformer": transformer}])
    put(3)
    deliver()
    assert json.loads(hook.got[0][1]) == {"text": "number 3 was sold"}
