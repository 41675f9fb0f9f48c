"""A client test publishes, listens, asks and answers as its plan says, and stays within its bounds."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from identities.resolver.addresses import AddressRefused
from identities.resolver.client import run
from identities.resolver.plan import (
    LARGEST_KEPT,
    LARGEST_KEPT_IN_ALL,
    Act,
    ClientPlan,
    ClientResult,
    Event,
    EventKind,
    PlanRefused,
    Step,
)
from tests.resolver.client_plans import Users, plan

pytestmark = pytest.mark.server


def kinds(result: ClientResult) -> list[EventKind]:
    return [event.kind for event in result.events]


def data(result: ClientResult, kind: EventKind) -> list[bytes]:
    return [event.data for event in result.events if event.kind is kind]


def test_one_user_subscribes_and_publishes(basics: str, users: Users) -> None:
    seen: list[Event] = []
    thread = threading.get_ident()

    def on_event(event: Event) -> None:
        assert threading.get_ident() == thread  # where the database may be used
        seen.append(event)

    user = users["TestUser"]
    result = run(
        plan(
            basics,
            Step(user=user, act=Act.PUBLISH, subject="a.b", payload="hello"),
            Step(user=user, act=Act.SUBSCRIBE, subject="a.>", queue="workers"),
        ),
        on_event,
    )
    assert result.ok, result.summary
    assert data(result, EventKind.RECEIVED) == [b"hello"]
    assert tuple(seen) == result.events
    assert "2.15" in result.server
    assert result.summary == "TestUser published 1 message to a.b. TestUser received 1 message on a.>."
    assert result.as_json()["ok"] is True


@pytest.mark.parametrize(("echo", "answer"), [(True, b"ping"), (False, b"pong")])
def test_one_answers_and_the_other_requests(basics: str, users: Users, echo: bool, answer: bytes) -> None:
    result = run(
        plan(
            basics,
            Step(user=users["TestClient"], act=Act.REQUEST, subject="req.a", payload="ping"),
            Step(user=users["TestService"], act=Act.REPLY, subject="req.a", payload="pong", echo=echo),
        )
    )
    assert result.ok, result.summary
    assert [event.data for event in result.events if event.who == "TestClient"][-1] == answer
    assert result.summary.startswith("TestClient requested on req.a and received 1 answer.")


def test_a_lone_act_of_each_kind(basics: str, users: Users) -> None:
    user = users["TestUser"]
    published = run(plan(basics, Step(user=user, act=Act.PUBLISH, subject="x", payload="ü", messages=3)))
    assert published.summary == "TestUser published 3 messages to x."
    listened = run(plan(basics, Step(user=user, act=Act.SUBSCRIBE, subject="x", seconds=0.05)))
    assert listened.ok
    assert kinds(listened) == [EventKind.CONNECTED, EventKind.SUBSCRIBED, EventKind.ENDED]
    measured = run(plan(basics, Step(user=user, act=Act.RTT, messages=5)))
    assert kinds(measured).count(EventKind.RTT) == 5
    assert "best of 5" in measured.summary


def test_a_request_that_nobody_hears_is_told_at_once(basics: str, users: Users) -> None:
    result = run(plan(basics, Step(user=users["TestClient"], act=Act.REQUEST, subject="req.a", seconds=9)))
    assert not result.ok
    assert "Nobody answers" in result.summary
    assert result.seconds < 3


def test_a_request_that_nobody_answers_ends_in_time(basics: str, users: Users) -> None:
    user = users["TestUser"]
    silent = Step(user=user, act=Act.SUBSCRIBE, subject="silent")
    with listening(basics, silent):
        result = run(plan(basics, Step(user=user, act=Act.REQUEST, subject="silent", seconds=0.1)))
    assert result.summary == "TestUser asked on silent and got no answer within 0.1 seconds."


@contextmanager
def listening(url: str, step: Step) -> Iterator[None]:
    """Another client test that listens meanwhile."""
    ready = threading.Event()

    def on_event(event: Event) -> None:
        if event.kind is EventKind.SUBSCRIBED:
            ready.set()

    thread = threading.Thread(target=run, args=(plan(url, step), on_event))
    thread.start()
    assert ready.wait(5)
    yield
    thread.join()


def test_kept_messages_are_bounded_in_number_and_size(basics: str, users: Users) -> None:
    user = users["TestUser"]
    result = run(
        plan(
            basics,
            Step(user=user, act=Act.PUBLISH, subject="big", payload="z" * LARGEST_KEPT, messages=40),
            Step(user=user, act=Act.SUBSCRIBE, subject="big", messages=30),
        )
    )
    received = [event for event in result.events if event.kind is EventKind.RECEIVED]
    assert len(received) == 30
    assert all(event.size == LARGEST_KEPT for event in received)
    assert sum(len(event.data) for event in result.events) <= LARGEST_KEPT_IN_ALL


def test_the_whole_test_is_bounded_in_time(basics: str, users: Users) -> None:
    step = Step(user=users["TestUser"], act=Act.SUBSCRIBE, subject="x", seconds=30)
    result = run(plan(basics, step, total_seconds=0.3))
    assert result.summary == "The test was ended after 0.3 seconds."
    assert result.seconds < 3


@pytest.mark.parametrize(
    "field", ["subject", "messages", "seconds", "payload", "queue", "inbox_prefix", "total_seconds"]
)
def test_a_plan_out_of_bounds_is_refused(users: Users, field: str) -> None:
    step = Step(user=users["TestUser"], act=Act.PUBLISH, subject="x")
    bad: dict[str, object] = {
        "subject": "a..b",
        "messages": 1001,
        "seconds": 31,
        "payload": "x" * 70_000,
        "queue": "a b",
        "inbox_prefix": "_INBOX.>",
        "total_seconds": 31,
    }
    asked = plan("nats://127.0.0.1", step)
    changed = (
        replace(asked, **{field: bad[field]})  # type: ignore[arg-type]
        if hasattr(asked, field)
        else replace(asked, step=replace(step, **{field: bad[field]}))  # type: ignore[arg-type]
    )
    with pytest.raises(PlanRefused) as refused:
        run(changed)
    assert refused.value.field == field


def test_an_odd_pair_and_a_forbidden_address_are_refused(users: Users) -> None:
    step = Step(user=users["TestUser"], act=Act.PUBLISH, subject="x")
    with pytest.raises(PlanRefused, match="A pair is"):
        run(plan("nats://127.0.0.1", step, step))
    with pytest.raises(AddressRefused):
        run(ClientPlan(url="nats://127.0.0.1", step=step))
    with pytest.raises(AddressRefused):
        run(plan("nats://x.example", step), lookup=lambda *_: ["169.254.169.254"])


def test_no_secret_shows_in_a_plan(users: Users) -> None:
    user = users["TestUser"]
    assert user.seed is not None
    shown = repr(plan("nats://x", Step(user=user, act=Act.RTT)))
    assert user.seed.reveal().decode() not in shown
    assert user.jwt not in shown
