from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command

from identities import lookup
from identities.errors import IdentityError
from identities.models import Account, AuditEvent, Job, User
from identities.nkeys import KeyKind, KeyPair
from identities.policy.decisions import Forbidden
from identities.policy.principal import Role
from identities.resolver.addresses import AddressRefused
from identities.resolver.plan import Act, ClientPlan, ClientResult, Event, EventKind, PlanRefused
from identities.services import client_tests, creds, jobs, users
from identities.services.client_tests import Trial, Wish
from tests import make

pytestmark = pytest.mark.django_db

URL = "nats://nats.example.com:4222"
Run = Callable[..., ClientResult]


@pytest.fixture
def account() -> Account:
    return make.account(make.operator(service_urls=(URL,)), "TestAccount")


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the client was asked to do; each test then succeeds after one event."""
    seen: list[dict[str, Any]] = []

    def run(plan: ClientPlan, on_event: Callable[[Event], None]) -> ClientResult:
        users = [step.user for step in (plan.step, plan.partner) if step is not None]
        seeds = [user.seed.reveal().decode() if user.seed else "" for user in users]
        seen.append({"plan": plan, "seeds": seeds})
        event = Event(kind=EventKind.CONNECTED, at=0.1, who="TestUser", text="Connected.")
        on_event(event)
        return ClientResult(ok=True, summary="It worked.", events=(event,), seconds=0.2, server="one 2.15")

    monkeypatch.setattr("identities.services.client_tests.client.run", run)
    return seen


def start(user: User, trial: Trial = Trial.PUBLISH, other: User | None = None, **wish: Any) -> Job:
    wanted = Wish(**{"trial": trial, "url": URL, "subject": "hello", **wish})
    return client_tests.start(principal=make.COMMAND, user=user, wish=wanted, other=other)


def done(job: Job) -> Job:
    call_command("worker", "--once")
    return Job.objects.get(pk=job.pk)


def test_the_worker_connects_with_the_users_own_credentials(
    account: Account, plans: list[dict[str, Any]]
) -> None:
    user = make.user(account, "TestUser")
    job = done(start(user, payload="hi"))
    assert (job.state, jobs.result_of(job)["summary"]) == ("done", "It worked.")
    (asked,) = plans
    step = asked["plan"].step
    assert (step.act, step.subject, step.payload, step.user.name) == (Act.PUBLISH, "hello", "hi", "TestUser")
    assert KeyPair.from_seed(asked["seeds"][0]).public.text == user.public_key
    with pytest.raises(ValueError, match="wiped"):
        step.user.seed.reveal()


def test_neither_payload_nor_result_holds_a_seed_or_jwt(
    account: Account, plans: list[dict[str, Any]]
) -> None:
    job = done(start(make.user(account)))
    assert plans[0]["seeds"][0] not in job.payload + job.result
    assert "eyJ" not in job.payload + job.result


def test_a_pair_listens_as_the_user_and_speaks_as_the_other(
    account: Account, plans: list[dict[str, Any]]
) -> None:
    one, two = make.user(account, "one"), make.user(account, "two")
    done(start(one, Trial.SUBSCRIBE_AND_PUBLISH, two, payload="hi", queue="workers"))
    done(start(one, Trial.REPLY_AND_REQUEST, two, payload="hi?", reply="ho", echo=False))
    publish, answer = (asked["plan"] for asked in plans)
    assert (publish.partner.user.name, publish.partner.act, publish.partner.queue) == (
        "one",
        Act.SUBSCRIBE,
        "workers",
    )
    assert (publish.step.user.name, publish.step.act, publish.step.payload) == ("two", Act.PUBLISH, "hi")
    assert (answer.partner.user.name, answer.partner.act, answer.partner.payload) == ("one", Act.REPLY, "ho")
    assert (answer.step.user.name, answer.step.act, answer.step.payload) == ("two", Act.REQUEST, "hi?")


def test_a_user_can_be_its_own_pair(account: Account, plans: list[dict[str, Any]]) -> None:
    done(start(make.user(account, "one"), Trial.SUBSCRIBE_AND_PUBLISH))
    assert plans[0]["plan"].partner.user is plans[0]["plan"].step.user


def test_a_bearer_user_needs_no_seed(account: Account, plans: list[dict[str, Any]]) -> None:
    from identities.claims.permissions import UserPermissionLimits

    bearer = UserPermissionLimits(subs=-1, data=-1, payload=-1, bearer_token=True)
    key = KeyPair.create(KeyKind.USER).public.text
    done(start(make.user(account, "sensor", limits=bearer, public_key=key)))
    step = plans[0]["plan"].step
    assert step.user.seed is None
    assert step.user.jwt.startswith("eyJ")


def test_starting_is_recorded_and_only_for_administrators(account: Account) -> None:
    user = make.user(account, "TestUser")
    start(user)
    event = AuditEvent.objects.order_by("-seq")[0]
    assert event.action == "client-test.run"
    assert "TestUser" in event.summary
    with pytest.raises(Forbidden):
        client_tests.start(
            principal=make.principal(Role.VIEWER), user=user, wish=Wish(trial=Trial.RTT, url=URL)
        )


def test_the_other_user_must_be_ones_to_use_too(account: Account) -> None:
    other = make.user(make.account(account.operator), "other")
    mine = make.principal(Role.ADMINISTRATOR, account=account)
    wish = Wish(trial=Trial.SUBSCRIBE_AND_PUBLISH, url=URL, subject="a")
    with pytest.raises(Forbidden):
        client_tests.start(principal=mine, user=make.user(account), wish=wish, other=other)
    with pytest.raises(IdentityError, match="no user"):
        client_tests.other_user(mine, make.user(account), f"{other.account.name}/other")


def test_without_a_seed_nothing_is_started(account: Account) -> None:
    user = make.user(account, "own", public_key=KeyPair.create(KeyKind.USER).public.text)
    with pytest.raises(creds.NoSeed):
        start(user)
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    ("refusal", "field", "wish"),
    [
        (AddressRefused, "url", {"url": "http://example.com"}),
        (AddressRefused, "url", {"url": "nats://user:secret@example.com"}),
        (PlanRefused, "subject", {"subject": "a b"}),
        (PlanRefused, "subject", {"subject": ">"}),
        (PlanRefused, "messages", {"messages": 100_000}),
        (PlanRefused, "seconds", {"seconds": 3600}),
        (PlanRefused, "inbox_prefix", {"inbox_prefix": "a.>"}),
    ],
)
def test_what_is_out_of_bounds_is_refused_at_its_field(
    account: Account, refusal: type[IdentityError], field: str, wish: dict[str, Any]
) -> None:
    with pytest.raises(refusal) as refused:
        start(make.user(account), **wish)
    assert refused.value.field == field
    assert not Job.objects.exists()


def test_one_person_cannot_fill_the_queue(account: Account) -> None:
    user = make.user(account)
    for _ in range(client_tests.MOST_UNFINISHED):
        start(user)
    with pytest.raises(IdentityError, match="Wait for one to end"):
        start(user)
    Job.objects.update(state="done")
    start(user)


def test_a_user_deleted_meanwhile_ends_the_test_with_a_reason(account: Account) -> None:
    user = make.user(account)
    job = start(user)
    users.delete(principal=make.COMMAND, user=user, version=user.version)
    assert done(job).state == "failed"
    assert "There is no user" in done(job).error


def test_metadata_addresses_are_refused_and_a_name_that_leads_there_ends_the_test_with_a_reason(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = make.user(account)
    with pytest.raises(AddressRefused, match="metadata"):
        start(user, url="nats://169.254.169.254:4222")

    def found(*_: object, **__: object) -> list[tuple[object, ...]]:
        return [(2, 1, 6, "", ("169.254.169.254", 4222))]

    job = start(user, url="nats://inner.example.com:4222")
    monkeypatch.setattr("identities.resolver.addresses.socket.getaddrinfo", found)
    job = done(job)
    assert job.state == "failed"
    assert "metadata" in job.error


@pytest.mark.parametrize("allowed", [False, True])
def test_this_machine_is_tested_only_where_that_is_allowed(
    account: Account, settings: Any, plans: list[dict[str, Any]], *, allowed: bool
) -> None:
    settings.NSCWEB_ALLOW_LOOPBACK_SERVERS = allowed
    done(start(make.user(account), url="nats://localhost:1"))
    assert plans[0]["plan"].allow_loopback is allowed


def test_other_users_are_found_by_name_account_and_key(account: Account) -> None:
    user, near = make.user(account, "one"), make.user(account, "two")
    far = make.user(make.account(account.operator, "Elsewhere"), "two")
    find = client_tests.other_user
    assert find(make.COMMAND, user, "") == user
    assert find(make.COMMAND, user, "two") == near
    assert find(make.COMMAND, user, "elsewhere/two") == far
    assert find(make.COMMAND, user, far.public_key) == far
    with pytest.raises(IdentityError, match="no user"):
        find(make.COMMAND, user, "three")


def test_a_test_belongs_to_the_user_it_was_started_for(account: Account) -> None:
    one, two = make.user(account), make.user(account)
    job = start(one)
    assert client_tests.of_user(one, job.pk) == job
    with pytest.raises(lookup.NotFound):
        client_tests.of_user(two, job.pk)


def test_the_first_server_of_the_operator_is_the_default(account: Account) -> None:
    assert client_tests.default_url(account.operator) == URL
    assert client_tests.default_url(make.operator()) == ""


def test_events_are_stored_while_the_test_runs(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    job = start(make.user(account))
    stored: list[int] = []
    told = client_tests.jobs.renew

    def renew(lease: jobs.Lease, **what: Any) -> None:
        told(lease, **what)
        stored.append(len(jobs.result_of(Job.objects.get(pk=job.pk))["events"]))
        going_on.set()

    import threading

    going_on = threading.Event()

    def run(plan: ClientPlan, on_event: Callable[[Event], None]) -> ClientResult:
        on_event(Event(kind=EventKind.CONNECTED, at=0.1, who="TestUser", text="Connected."))
        assert going_on.wait(10)
        return ClientResult(ok=True, summary="", events=(), seconds=1)

    monkeypatch.setattr("identities.services.client_tests.client.run", run)
    monkeypatch.setattr("identities.services.client_tests.jobs.renew", renew)
    monkeypatch.setattr("identities.services.client_tests._TOLD_EVERY", 0.01)
    assert done(job).state == "done"
    assert stored == [1]
