"""Client tests: a person has the worker connect to a nats-server as a user of theirs, and reads what happened."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from django.conf import settings
from django.db import transaction

from identities import lookup
from identities.errors import IdentityError
from identities.models import Cluster, Job, Key, Operator, User
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.resolver import addresses, client, probing
from identities.resolver.plan import MOST_SECONDS, Act, ClientPlan, ClientResult, Event, Step, TestUser, check
from identities.services import audit, changes, columns, creds, jobs, links, secrets, signing, users

KIND = "client-test"
MOST_UNFINISHED = 10
"""Client tests that one person may have waiting or running."""
_TOLD_EVERY = 0.5
_CONNECT_SECONDS = 3.0
"""Waiting for a worker and asking for the result take their time too: people hear of a dead server within 5 s."""
_NOBODY = TestUser(name="", jwt="")


class Trial(StrEnum):
    """What is tried. In a pair the user of the page listens, and the other user speaks."""

    PUBLISH = "publish"
    SUBSCRIBE = "subscribe"
    REQUEST = "request"
    REPLY = "reply"
    RTT = "rtt"
    SUBSCRIBE_AND_PUBLISH = "subscribe-publish"
    REPLY_AND_REQUEST = "reply-request"

    @property
    def is_pair(self) -> bool:
        """True when two users take part."""
        return self in (Trial.SUBSCRIBE_AND_PUBLISH, Trial.REPLY_AND_REQUEST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a person fills in: `payload` is published or asked; `reply`, or with `echo` the question, is answered.

    `cluster` is the number of a cluster whose addresses and TLS are used in the place of what is typed, 0 for none.
    """

    trial: Trial
    url: str
    subject: str = ""
    payload: str = ""
    queue: str = ""
    seconds: float = 5.0
    messages: int = 1
    reply: str = ""
    echo: bool = False
    inbox_prefix: str = "_INBOX"
    ca_pem: str = ""
    tls_first: bool = False
    cluster: int = 0


def wish(values: Mapping[str, Any]) -> Wish:
    """A wish from plain values: what a form holds, or what a job's payload does."""
    return Wish(**{**values, "trial": Trial(values["trial"])})


def start(*, principal: Principal, user: User, wish: Wish, other: User | None = None) -> Job:
    """Have the worker run a client test as `user`, in a pair together with `other`.

    Raises:
        PlanRefused, AddressRefused: out of bounds, with the field. NoSeed: there is nothing to log in with.
    """
    speaker = (other or user) if wish.trial.is_pair else user
    for one in {user.pk: user, speaker.pk: speaker}.values():
        decisions.require(principal, Action.CLIENT_TEST, users.scope(one))
        _refuse_seedless(one)
    wish = _addressed(principal, user, wish)
    url = check(_plan(wish, _NOBODY, _NOBODY))
    addresses.refuse_literal(url, allow_loopback=settings.NSCWEB_ALLOW_LOOPBACK_SERVERS)
    if jobs.unfinished(KIND, principal) >= MOST_UNFINISHED:
        raise IdentityError(
            f"You have {MOST_UNFINISHED} client tests running or waiting. Wait for one to end."
        )
    with transaction.atomic():
        job = jobs.enqueue(
            principal=principal,
            kind=KIND,
            payload={"user": _address(user), "other": _address(speaker), "wish": asdict(wish)},
        )
        targets = {one.pk: users.target(one, one.account) for one in (user, speaker)}
        audit.record(
            principal,
            Action.CLIENT_TEST,
            targets.values(),
            f"Started a client test ({wish.trial.value}) as user “{user.name}” on {wish.url}",
        )
    return job


def of_user(user: User, job_id: int) -> Job:
    """The client test of this number that was started on the page of `user`.

    Raises:
        NotFound: there is none.
    """
    job = Job.objects.filter(pk=job_id, kind=KIND).first()
    if job is None or asked(job)["user"] != _address(user):
        raise lookup.NotFound(f"There is no client test {job_id} of “{user.name}”.")
    return job


def other_user(principal: Principal, user: User, text: str) -> User:
    """The user that `text` names: "" is `user` itself, else a name in its account, `account/name`, or a public key.

    Raises:
        IdentityError: nobody under this operator is called so.
    """
    if not text:
        return user
    account, slash, name = text.rpartition("/")
    near = (
        User.objects.visible_to(principal).live().filter(operator=user.operator_id, account__deleted_at=None)
    )
    near = near.select_related("account__operator", "operator", "token")
    if slash:
        found = near.filter(account__name_fold=columns.folded(account), name=name).first()
    else:
        found = (
            near.filter(account=user.account_id, name=text).first() or near.filter(public_key=text).first()
        )
    if found is None:
        raise IdentityError(
            f"There is no user “{text[:100]}” here. Give a name of this account, or account/name.",
            field="other",
        )
    return found


def asked(job: Job) -> dict[str, Any]:
    """What a client test was asked to do: `user` and `other` (keys), `wish`."""
    payload = jobs.payload_of(job)
    return {**payload, "user": tuple(payload["user"]), "other": tuple(payload["other"])}


def default_url(operator: Operator) -> str:
    """The server to try first: the operator's first service URL, "" when it names none."""
    urls = changes.claims_of(operator).nats.operator_service_urls
    return str(urls[0]) if urls else ""


def run(lease: jobs.Lease) -> jobs.Result:
    """The worker's part: open the seeds, connect, and tell what happened while it happens."""
    payload = asked(lease.job)
    wanted = wish(payload["wish"])
    with ExitStack() as stack:
        listener = stack.enter_context(_login(payload["user"]))
        speaker = listener
        if payload["other"] != payload["user"]:
            speaker = stack.enter_context(_login(payload["other"]))
        plan = stack.enter_context(_at_cluster(_plan(wanted, listener, speaker), wanted.cluster))
        return _watched(plan, lease).as_json()


HANDLER = jobs.Handler(run=run, attempts=1)
"""Begun once only: a message that was published twice would mislead."""


def _watched(plan: ClientPlan, lease: jobs.Lease) -> ClientResult:
    """Run the plan in a thread of its own (it is asynchronous; the database is not), and store events as they come."""
    events: list[Event] = []
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="client-test") as pool:
        running: Future[ClientResult] = pool.submit(client.run, plan, events.append)
        told, began = 0, time.monotonic()
        while not _ended(running):
            if len(events) > told:
                told = len(events)
                so_far = ClientResult(
                    ok=False, summary="", events=tuple(events[:told]), seconds=time.monotonic() - began
                )
                jobs.renew(lease, done=told, so_far=so_far.as_json())
        return running.result()


def _ended(running: Future[ClientResult]) -> bool:
    try:
        running.exception(timeout=_TOLD_EVERY)
    except TimeoutError:
        return False
    return True


@contextmanager
def _login(address: tuple[str, str, str]) -> Iterator[TestUser]:
    """What logs a user in, for the length of a block."""
    user = lookup.user(Principal.worker(), *address)
    _refuse_seedless(user)
    if user.token is None:
        raise IdentityError(f"“{user.name}” has no JWT yet.")
    with signing.token_text(user.token) as jwt:
        if user.bearer:
            yield TestUser(name=user.name, jwt=jwt)
            return
        key = Key.objects.get(user=user, public_key=user.public_key, deleted_at=None)
        with secrets.opened(
            bytes(key.sealed or b""), table="key", public_key=key.public_key, purpose="seed"
        ) as seed:
            yield TestUser(name=user.name, jwt=jwt, seed=seed)


def _refuse_seedless(user: User) -> None:
    if not user.has_seed and not user.bearer:
        raise creds.NoSeed(
            f"The seed of “{user.name}” is not here (it was added with its public key only), so nobody can connect "
            "as this user from here."
        )


def _addressed(principal: Principal, user: User, wish: Wish) -> Wish:
    """The wish with the first address of its cluster, where it names one. Raises: NotFound."""
    if not wish.cluster:
        return wish
    cluster = lookup.cluster(principal, user.account.operator.public_key, wish.cluster)
    return replace(wish, url=cluster.urls.split()[0], ca_pem="", tls_first=False)


@contextmanager
def _at_cluster(plan: ClientPlan, number: int) -> Iterator[ClientPlan]:
    """The plan at the first address of the cluster where a server greets, with the cluster's TLS."""
    if not number:
        yield plan
        return
    cluster = Cluster.objects.live().filter(pk=number).first()
    if cluster is None:
        raise IdentityError("The cluster was removed meanwhile.")
    with links.client_key(cluster) as key:
        target = links.target(cluster, key)
        yield replace(
            plan,
            url=probing.first_that_greets(target, plan.connect_seconds),
            ca_pem=target.ca_pem,
            tls_first=target.tls_first,
            client_cert=target.client_cert,
            client_key=key,
        )


def _plan(wish: Wish, listener: TestUser, speaker: TestUser) -> ClientPlan:
    if wish.trial.is_pair:
        acts = {
            Trial.SUBSCRIBE_AND_PUBLISH: (Act.SUBSCRIBE, Act.PUBLISH),
            Trial.REPLY_AND_REQUEST: (Act.REPLY, Act.REQUEST),
        }
        listens, speaks = acts[wish.trial]
        partner, step = _step(wish, listens, listener), _step(wish, speaks, speaker)
    else:
        partner, step = None, _step(wish, Act(wish.trial.value), listener)
    return ClientPlan(
        url=wish.url,
        step=step,
        partner=partner,
        inbox_prefix=wish.inbox_prefix,
        allow_loopback=settings.NSCWEB_ALLOW_LOOPBACK_SERVERS,
        ca_pem=wish.ca_pem,
        tls_first=wish.tls_first,
        total_seconds=MOST_SECONDS,
        connect_seconds=_CONNECT_SECONDS,
    )


def _step(wish: Wish, act: Act, user: TestUser) -> Step:
    listens = act in (Act.SUBSCRIBE, Act.REPLY)
    return Step(
        user=user,
        act=act,
        subject="" if act is Act.RTT else wish.subject,
        payload=wish.reply if act is Act.REPLY else wish.payload,
        queue=wish.queue if listens else "",
        messages=wish.messages,
        seconds=wish.seconds,
        echo=wish.echo and act is Act.REPLY,
    )


def _address(user: User) -> tuple[str, str, str]:
    return user.operator.public_key, user.account.public_key, user.public_key
