"""The engine of transform jobs: what it does when it is let down midway. The jobs find nothing to read, which ends them."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.contract.endpoints.hosting import Hosting
from tests.contract.jobs.test_transform_jobs import model, request
from tests.harness import ACCOUNT, OTHER_ACCOUNT, START, house

from modelyard.access.store import add_account
from modelyard.jobs import events, store, transforms, worker
from modelyard.jobs.transform_job import JobName
from modelyard.jobs.transforms import Transforms
from modelyard.storage.errors import StorageUnavailable

pytestmark = pytest.mark.ours


@pytest.fixture
def hosting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hosting]:
    """A house of the test's own, whose jobs nobody else has."""
    monkeypatch.setattr(transforms, "TRY_AGAIN_SECONDS", 0.01)
    with house(tmp_path) as yard:
        yard.house.storage.write(lambda tx: add_account(tx, ACCOUNT, START))
        yield Hosting(yard, 1)


def begun(hosting: Hosting) -> Callable[[], bool]:
    """Begin a job; what says whether it has ended."""
    name = request(hosting, "job", model(hosting))["TransformJobName"]
    hosting.sagemaker("CreateTransformJob", **request(hosting, "job", "Model"))

    def ended() -> bool:
        status = hosting.sagemaker("DescribeTransformJob", TransformJobName=name)["TransformJobStatus"]
        assert status in ("InProgress", "Failed")
        return bool(status == "Failed")

    return ended


def once(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, instead: Callable[..., Any]) -> threading.Event:
    """Have something called instead of something else, the first time; it gets what it stands for. Tells when that was."""
    original, happened = getattr(owner, name), threading.Event()

    def call(*given: Any, **more: Any) -> Any:
        if happened.is_set():
            return original(*given, **more)
        happened.set()
        return instead(original, *given, **more)

    monkeypatch.setattr(owner, name, call)
    return happened


def test_one_account_does_not_stop_the_jobs_of_others(hosting: Hosting, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many long jobs an account has, one of somebody else's that comes after them is begun."""
    go_on = threading.Event()
    found = transforms.RunningJob.run
    monkeypatch.setattr(transforms.RunningJob, "run", lambda running: (go_on.wait(60), found(running))[1])
    ended = begun(hosting)
    storage, engine = hosting.yard.house.storage, Transforms.of(hosting.yard.house.dispatcher)
    with storage.read() as tx:
        [job] = store.page_of(tx, ACCOUNT, "us-east-1", {}, store.Page(None, "Name", False, 1))
        whole = store.by_id(tx, job.id)
    assert whole is not None

    def add(account: str, name: str) -> JobName:
        at = JobName(account, "us-east-1", name)
        storage.write(lambda tx: store.add(tx, at, whole.document, whole.plan, START))
        return at

    for number in range(2 * transforms.MOST_RUNNING):
        add(ACCOUNT, f"long-{number}")
    try:
        engine.turn()
        engine.turn()
        theirs = add(OTHER_ACCOUNT, "short")
        engine.turn()
        with storage.read() as tx:
            begun_of_theirs = store.job(tx, theirs)
        assert begun_of_theirs is not None and begun_of_theirs.owner is not None
    finally:
        go_on.set()
    assert worker.turn_until(hosting.yard.house, ended)


def test_a_job_that_was_taken_without_a_word_is_run(hosting: Hosting, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database took the claim and did not live to say so: the job is this server's, and it runs it."""
    ended = begun(hosting)
    engine = Transforms.of(hosting.yard.house.dispatcher)

    def lost(original: Callable[..., Any], *given: Any) -> None:
        original(*given)
        raise StorageUnavailable("it went away after the commit")

    happened = once(monkeypatch, hosting.yard.house.storage, "write", lost)
    with pytest.raises(StorageUnavailable):
        engine.turn()
    assert happened.is_set()
    assert worker.turn_until(hosting.yard.house, ended)


def test_a_job_whose_thread_did_not_start_is_run(hosting: Hosting, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has no thread to spare runs the job when it has one."""
    ended = begun(hosting)
    engine = Transforms.of(hosting.yard.house.dispatcher)

    def refuse(_: Callable[..., Any], thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    happened = once(monkeypatch, threading.Thread, "start", refuse)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        engine.turn()
    assert happened.is_set()
    assert worker.turn_until(hosting.yard.house, ended)


@pytest.mark.parametrize("error", [StorageUnavailable("it is away"), ValueError("nobody thought of this")])
def test_the_end_of_a_job_is_written_down_in_the_end(hosting: Hosting, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Whatever keeps the end of a job from being written down, it is tried again."""
    ended = begun(hosting)

    def fail(_: Callable[..., Any], *given: Any) -> None:
        raise error

    happened = once(monkeypatch, events, "transform_changed", fail)
    assert worker.turn_until(hosting.yard.house, ended)
    assert happened.is_set()
