"""The queue of asynchronous endpoints on every database: what is taken down, by whom it is taken up, and what is refused."""

import json
import threading
from typing import Any

import pytest
from tests.contract.endpoints.hosting import Hosting, document, refused
from tests.harness import ACCOUNT, user

from modelyard.endpoints import store_endpoints, store_queued, worker
from modelyard.endpoints.deployment import Result
from modelyard.endpoints.endpoint import Status, endpoint_at, moved
from modelyard.endpoints.queued import Queued
from modelyard.endpoints.queued_answering import Answering
from modelyard.endpoints.queueing import Queueing
from modelyard.endpoints.serving import Serving
from modelyard.endpoints.spool import Spool
from modelyard.storage.errors import StorageUnavailable
from modelyard.storage.interface import Transaction

INVALID, REFUSED = "ValidationException", "ValidationError"
BODY = {"Body": b"what is this?"}


class Queue:
    """An asynchronous endpoint that is in service, and has no instance: its image is one that nobody has a recipe for."""

    def __init__(self, hosting: Hosting, serving: bool = True, **output: Any) -> None:
        self.hosting = hosting
        self.name = hosting.named("q")
        self.configured(**output)
        hosting.sagemaker("CreateEndpoint", EndpointName=self.name, EndpointConfigName=self.name)
        self.number = self.written(self._serving) if serving else 0

    def configured(self, name: str = "q", role: bool = True, **output: Any) -> str:
        """The configuration of an asynchronous endpoint; its name."""
        more = {"ExecutionRoleArn": self.hosting.role(f"r{name}")} if role else {}
        self.hosting.create(name, PrimaryContainer={"Image": "none/such:1"}, **more)
        variant = {"VariantName": "v", "ModelName": self.hosting.named(name)}
        places = {"S3OutputPath": f"s3://{self.hosting.bucket}/out", "S3FailurePath": f"s3://{self.hosting.bucket}/failed/"}
        self.hosting.sagemaker(
            "CreateEndpointConfig",
            EndpointConfigName=self.hosting.named(name),
            ProductionVariants=[{**variant, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}],
            AsyncInferenceConfig={"OutputConfig": {key: value for key, value in {**places, **output}.items() if value}},
        )
        return self.hosting.named(name)

    def _serving(self, tx: Transaction) -> int:
        """As if its instance had come up once."""
        stored = store_endpoints.live(tx, endpoint_at(ACCOUNT, "us-east-1", self.name))
        assert stored is not None and stored.pending is not None
        now = self.hosting.yard.clock.now()
        store_endpoints.end(tx, stored.pending, Result.SUCCEEDED, None, now)
        core = moved(stored.endpoint, Status.IN_SERVICE)
        assert store_endpoints.put(tx, stored, core, now, serving=stored.pending, pending=None)
        return stored.id

    def ask(self, **request: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self.hosting.call(
            "sagemaker-runtime", "InvokeEndpointAsync", EndpointName=self.name, **(request or BODY)
        )
        return answer

    def written(self, work: Any) -> Any:
        return self.hosting.yard.house.storage.write(work)

    def claim(self, owner: str, most: int = 10, until: float = 15.0) -> list[Queued]:
        now = self.hosting.yard.clock.now()
        found: list[Queued] = self.written(lambda tx: store_queued.claim(tx, self.number, now, now + until, owner, most))
        return found

    def backlog(self) -> store_queued.Backlog:
        with self.hosting.yard.house.storage.read() as tx:
            return store_queued.backlog(tx, self.number)


@pytest.mark.ours
def test_a_request_is_one_servers_until_that_has_not_been_heard_of(hosting: Hosting) -> None:
    """First come, first taken; what is taken is nobody else's, is kept by renewal of just that, and comes back when that ends."""
    queue, clock = Queue(hosting), hosting.yard.clock
    for number in range(3):
        queue.ask(Body=b"%d" % number)
        clock.advance(1)
    one = queue.claim("one", most=2)
    assert [request.body for request in one] == [b"0", b"1"]
    assert [request.body for request in queue.claim("two")] == [b"2"]
    clock.advance(10)
    queue.written(lambda tx: store_queued.renew(tx, [one[0].id], clock.now() + 15, "one"))
    clock.advance(10)
    others = queue.claim("three")
    assert [request.body for request in others] == [b"1", b"2"], "nobody has renewed them"
    for request in (one[0], *others):
        queue.written(lambda tx, request=request: store_queued.give_back(tx, request, "three", clock.now()))
    assert [request.body for request in queue.claim("four")] == [b"1", b"2"]
    for owner in ("one", "four"):
        queue.written(lambda tx, owner=owner: store_queued.release(tx, owner, clock.now()))
    again = queue.claim("five", most=2)
    assert [request.body for request in again] == [b"0", b"1"]
    queue.written(lambda tx: store_queued.try_again(tx, again[0], clock.now() + 5, 1))
    queue.written(lambda tx: store_queued.over(tx, again[1]))
    assert [request.body for request in queue.claim("six")] == [b"2"]
    clock.advance(6)
    assert [(request.body, request.losses) for request in queue.claim("seven")] == [(b"0", 1)]
    assert queue.backlog().size == 2
    queue.written(lambda tx: store_queued.forget(tx, queue.number))
    assert queue.backlog() == store_queued.Backlog(0, None)


@pytest.mark.ours
@pytest.mark.parametrize("left", [False, True])
def test_what_is_seen_to_no_more_comes_back(hosting: Hosting, monkeypatch: pytest.MonkeyPatch, left: bool) -> None:
    """However busy its server is with others: at once where another server has the endpoint now, and once the claim is over where
    a request could not be seen to."""
    monkeypatch.setattr("modelyard.endpoints.queueing.RENEW_SECONDS", -1.0)
    queue, clock, house = Queue(hosting), hosting.yard.clock, hosting.yard.house
    engine, settled, busy = Queueing.of(house.dispatcher), Queueing._settle, threading.Event()
    broken: list[int] = []

    def settle(self: Queueing, hosted: Any, request: Queued, outcome: Any) -> None:
        if request.body == b"stays":
            assert busy.wait(60)
        elif not broken:
            broken.append(request.id)
            raise StorageUnavailable("the disk is full")
        settled(self, hosted, request, outcome)

    monkeypatch.setattr(Queueing, "_settle", settle)
    try:
        queue.ask(Body=b"stays", RequestTTLSeconds=60)
        queue.ask(Body=b"breaks", RequestTTLSeconds=61)
        clock.advance(62)
        assert worker.turn_until(house, lambda: bool(broken) and engine.running == 1)
        if left:
            monkeypatch.setattr(Serving, "hosting", lambda *_: None)
            engine.turn()
            assert worker.turn_until(house, lambda: [one.body for one in queue.claim("other")] == [b"stays"])
        else:
            for _ in range(2):
                clock.advance(10)
                engine.turn()
            assert worker.turn_until(house, lambda: queue.backlog().size == 1)
            assert queue.claim("other") == [], "the one that is seen to is renewed"
    finally:
        busy.set()
        assert worker.turn_until(house, lambda: engine.running == 0)


@pytest.mark.documented
def test_what_waits_too_long_fails(hosting: Hosting) -> None:
    """With no instance requests wait; once RequestTTLSeconds are over, the reason is where failures go, and a topic is told."""
    topic = hosting.call("sns", "CreateTopic", Name=hosting.named("late"))["TopicArn"]
    arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:{hosting.named('told')}"
    lets = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}
    made = hosting.call("sqs", "CreateQueue", QueueName=hosting.named("told"), Attributes={"Policy": document(lets)})
    raw = {"RawMessageDelivery": "true"}
    hosting.call("sns", "Subscribe", TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=raw)
    queue, clock = Queue(hosting, NotificationConfig={"ErrorTopic": topic}), hosting.yard.clock
    short, _ = queue.ask(**BODY, RequestTTLSeconds=60), queue.ask(**BODY)
    bucket, _, key = short["FailureLocation"].removeprefix("s3://").partition("/")

    def failures() -> list[dict[str, Any]]:
        listed = hosting.call("s3", "ListObjectsV2", Bucket=bucket, Prefix="failed/")
        return list(listed.get("Contents", []))

    worker.turn(hosting.yard.house)
    assert (failures(), queue.backlog().size) == ([], 2)
    clock.advance(61)
    assert worker.turn_until(hosting.yard.house, lambda: queue.backlog().size == 1)
    assert [one["Key"] for one in failures()] == [key]
    told = hosting.call("s3", "GetObject", Bucket=bucket, Key=key)
    assert (told["Body"], told["ContentType"]) == (
        b"The request expired: it waited in the queue for longer than RequestTTLSeconds.",
        "text/plain; charset=utf-8",
    )
    [message] = hosting.call("sqs", "ReceiveMessage", QueueUrl=made["QueueUrl"])["Messages"]
    notified = json.loads(message["Body"])
    assert (notified["invocationStatus"], notified["inferenceId"]) == ("Failed", short["InferenceId"])
    assert notified["failureReason"] == told["Body"].decode()
    assert notified["responseParameters"] == {"failureLocation": short["FailureLocation"]}


@pytest.mark.ours
@pytest.mark.parametrize("answers", [True, False])
def test_a_role_that_is_gone_holds_no_request_up(
    hosting: Hosting, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, answers: bool
) -> None:
    """Where the execution role can no longer be used a topic is not told, which the log is; the request is over all the same, and
    an answer that was written stays one."""
    topic = f"arn:aws:sns:us-east-1:{ACCOUNT}:results"
    queue, house = Queue(hosting, NotificationConfig={"SuccessTopic": topic, "ErrorTopic": topic}), hosting.yard.house
    asked = queue.ask(**BODY, RequestTTLSeconds=60)
    role, engine = hosting.named("rq"), Queueing.of(house.dispatcher)

    def gone() -> None:
        nobody = document({"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"})
        hosting.call("iam", "UpdateAssumeRolePolicy", RoleName=role, PolicyDocument=nobody)

    async def answered(_: Queueing, hosted: Any, request: Queued) -> Spool:
        answer = Spool(house.settings.data, 100)
        answer.write(b"an answer")
        return answer

    write = Answering.write
    if answers:
        monkeypatch.setattr(Queueing, "_answered", answered)
        monkeypatch.setattr(Answering, "write", lambda *given: (write(*given), gone()))
    else:
        gone()
    hosting.yard.clock.advance(61)
    assert worker.turn_until(house, lambda: queue.backlog().size == 0 and engine.running == 0)
    assert f"{topic} is not told of a request to" in caplog.text
    bucket, _, key = asked["OutputLocation"].removeprefix("s3://").partition("/")
    listed = [one["Key"] for one in hosting.call("s3", "ListObjectsV2", Bucket=bucket).get("Contents", [])]
    assert (key in listed, any(one.startswith("failed/") for one in listed)) == (answers, False)


@pytest.mark.documented
def test_where_results_go(hosting: Hosting) -> None:
    """To an object of their own below the paths, or of the name and below the extension that a request gives."""
    queue = Queue(hosting)
    one, two = queue.ask(), queue.ask(Body=b"x", InferenceId="mine")
    assert (two["InferenceId"], one["OutputLocation"] != two["OutputLocation"]) == ("mine", True)
    assert one["OutputLocation"] == f"s3://{hosting.bucket}/out/{one['InferenceId']}.out"
    assert one["FailureLocation"] == f"s3://{hosting.bucket}/failed/{one['InferenceId']}-error.out"
    named = queue.ask(Body=b"x", Filename="a.json", S3OutputPathExtension="2026/11/")
    assert named["OutputLocation"] == f"s3://{hosting.bucket}/out/2026/11/a.json"


@pytest.mark.ours
def test_requests_that_are_refused(hosting: Hosting) -> None:
    """Without input or with two, from elsewhere than S3, to what is no asynchronous endpoint, and by who may not."""
    queue = Queue(hosting)
    with refused(REFUSED, "^Exactly one of Body and InputLocation must be specified.$"):
        queue.ask(ContentType="a/b")
    with refused(REFUSED, "^Exactly one of Body and InputLocation must be specified.$"):
        queue.ask(**BODY, InputLocation="s3://bucket/key")
    for location in ("https://example.com/a", "s3://bucket", "s3://bucket/"):
        with refused(REFUSED, f"^InputLocation must have the form s3://bucket/key on this server, and is {location}.$"):
            queue.ask(InputLocation=location)
    with refused(REFUSED, f"^Endpoint {queue.name.upper()} of account {ACCOUNT} not found.$"):
        hosting.call("sagemaker-runtime", "InvokeEndpointAsync", EndpointName=queue.name.upper(), **BODY)
    other = user(ACCOUNT, "one", document({"Effect": "Allow", "Action": "sagemaker:InvokeEndpoint", "Resource": "*"}))
    with refused("AccessDeniedException", "sagemaker:InvokeEndpointAsync"):
        hosting.call("sagemaker-runtime", "InvokeEndpointAsync", other, EndpointName=queue.name, **BODY)
    assert queue.backlog().size == 0


@pytest.mark.ours
def test_a_queue_has_an_end(hosting: Hosting, monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint that has very many requests takes more once it has answered some; others have theirs."""
    monkeypatch.setattr("modelyard.endpoints.backlog.MOST_WAITING", 2)
    queue = Queue(hosting)
    for _ in range(2):
        queue.ask()
    with refused("ThrottlingException", f"^The endpoint {queue.name} has 2 requests to answer, and takes no more for now.$"):
        queue.ask()
    [first, _] = queue.claim("one")
    queue.written(lambda tx: store_queued.over(tx, first))
    queue.ask()
    assert queue.backlog().size == 2


@pytest.mark.ours
def test_configurations_that_are_refused(hosting: Hosting) -> None:
    """No place for answers or one outside S3, responses in notifications, and a model that runs under no role."""
    queue = Queue(hosting, serving=False)
    topics = {"IncludeInferenceResponseIn": ["SUCCESS_NOTIFICATION_TOPIC"]}
    cases: tuple[tuple[dict[str, Any], str], ...] = (
        ({"S3OutputPath": None}, "needs an S3OutputPath"),
        ({"S3FailurePath": "https://a/b"}, "^S3FailurePath must have the form s3://bucket/prefix on this server"),
        ({"NotificationConfig": topics}, "^IncludeInferenceResponseIn cannot be had on this server"),
        ({"role": False}, "has no ExecutionRoleArn"),
    )
    for number, (output, words) in enumerate(cases):
        config = queue.configured(f"c{number}", **output)
        with refused(INVALID, words):
            hosting.sagemaker("CreateEndpoint", EndpointName=config, EndpointConfigName=config)
    with refused(REFUSED, "not found"):
        queue.ask()


@pytest.mark.documented
def test_an_endpoint_takes_its_queue_along(hosting: Hosting) -> None:
    """Asynchronous endpoints may have no instance; deleted, they leave no request behind."""
    queue = Queue(hosting)
    none = [{"VariantName": "v", "DesiredInstanceCount": 0}]
    hosting.sagemaker("UpdateEndpointWeightsAndCapacities", EndpointName=queue.name, DesiredWeightsAndCapacities=none)

    def status() -> str:
        return str(hosting.sagemaker("DescribeEndpoint", EndpointName=queue.name)["EndpointStatus"])

    assert worker.turn_until(hosting.yard.house, lambda: status() == "InService")
    with refused(REFUSED, "^The endpoint .* is an asynchronous one: it is invoked with InvokeEndpointAsync.$"):
        hosting.call("sagemaker-runtime", "InvokeEndpoint", EndpointName=queue.name, **BODY)
    queue.ask()
    hosting.yard.clock.advance(30)
    told = dict(Queueing.of(hosting.yard.house.dispatcher).backlogs())[endpoint_at(ACCOUNT, "us-east-1", queue.name)]
    assert told == {
        "ApproximateBacklogSize": 1.0,
        "ApproximateBacklogSizePerInstance": 1.0,
        "ApproximateAgeOfOldestRequest": 30.0,
        "HasBacklogWithoutCapacity": 1.0,
    }
    hosting.sagemaker("DeleteEndpoint", EndpointName=queue.name)
    mine = {"NameContains": queue.name}
    assert worker.turn_until(hosting.yard.house, lambda: not hosting.sagemaker("ListEndpoints", **mine)["Endpoints"])
    assert queue.backlog().size == 0
