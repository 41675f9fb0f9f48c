"""What a client test does, within which bounds, and what came of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from identities.nkeys import SecretBytes
from identities.resolver.addresses import ServerURL, parse_url
from identities.resolver.errors import ResolverError

MOST_SECONDS: Final = 30.0
MOST_MESSAGES: Final = 1000
LARGEST_KEPT: Final = 64 * 1024
LARGEST_KEPT_IN_ALL: Final = 1024 * 1024
CONNECT_SECONDS: Final = 4.0
_BLANK: Final = re.compile(r"[\s\x00-\x1f\x7f]")


class PlanRefused(ResolverError):
    """A client test that can't be run as asked."""

    code = "client-test-refused"


class Act(StrEnum):
    """What one user does."""

    PUBLISH = "publish"
    SUBSCRIBE = "subscribe"
    REQUEST = "request"
    REPLY = "reply"
    RTT = "rtt"


LISTENING: Final = frozenset({Act.SUBSCRIBE, Act.REPLY})


@dataclass(frozen=True, slots=True, kw_only=True)
class TestUser:
    """Who connects: `seed` (58 characters) is None for a bearer user, whose JWT alone logs in."""

    __test__ = False  # the name is not meant for pytest

    name: str
    jwt: str = field(repr=False)
    seed: SecretBytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One user's act. `messages` is how many are published, taken, answered or measured before it ends;
    `seconds` how long is listened or an answer waited for. `echo` answers with what was asked.
    """

    user: TestUser
    act: Act
    subject: str = ""
    payload: str = ""
    queue: str = ""
    messages: int = 1
    seconds: float = 5.0
    echo: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientPlan:
    """One act, or a pair: `partner` subscribes or answers first, then `step` publishes or requests.

    `connect_seconds` bounds looking the name up and the first login together.
    """

    url: str
    step: Step
    partner: Step | None = None
    inbox_prefix: str = "_INBOX"
    allow_loopback: bool = False
    ca_pem: str = field(default="", repr=False)
    tls_first: bool = False
    client_cert: str = field(default="", repr=False)
    client_key: SecretBytes | None = field(default=None, repr=False)
    total_seconds: float = MOST_SECONDS
    connect_seconds: float = CONNECT_SECONDS


class EventKind(StrEnum):
    """What happened."""

    CONNECTED = "connected"
    SUBSCRIBED = "subscribed"
    PUBLISHED = "published"
    RECEIVED = "received"
    REQUESTED = "requested"
    ANSWERED = "answered"
    RTT = "rtt"
    REFUSED = "refused"
    FAILED = "failed"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of a test's record. `at` is seconds since its start, `text` is for people, `data` the message as far
    as it was kept, `size` its whole size in bytes, `said` the server's own words.
    """

    kind: EventKind
    at: float
    who: str
    text: str
    subject: str = ""
    data: bytes = b""
    size: int = 0
    said: str = ""

    def as_json(self) -> dict[str, object]:
        """The event for a JSON column: `data` as text, undecodable bytes replaced."""
        return {
            "kind": self.kind.value,
            "at": round(self.at, 4),
            "who": self.who,
            "text": self.text,
            "subject": self.subject,
            "data": self.data.decode("utf-8", "replace"),
            "size": self.size,
            "said": self.said,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientResult:
    """What came of a test: `ok` when everything that was asked for happened; `summary` says it in one sentence."""

    ok: bool
    summary: str
    events: tuple[Event, ...]
    seconds: float
    server: str = ""

    def as_json(self) -> dict[str, object]:
        """The result for a JSON column."""
        return {
            "ok": self.ok,
            "summary": self.summary,
            "seconds": round(self.seconds, 4),
            "server": self.server,
            "events": [event.as_json() for event in self.events],
        }


def check(plan: ClientPlan) -> ServerURL:
    """Refuse a plan out of bounds; the parsed URL of a good one. Raises: PlanRefused, AddressRefused."""
    url = parse_url(plan.url)
    _check_tokens(plan.inbox_prefix, "inbox_prefix", "The inbox prefix", wildcards=False)
    if not 0 < plan.total_seconds <= MOST_SECONDS:
        raise PlanRefused(f"A client test takes at most {MOST_SECONDS:g} seconds.", field="total_seconds")
    if not 0 < plan.connect_seconds <= CONNECT_SECONDS:
        raise PlanRefused(f"Connecting takes at most {CONNECT_SECONDS:g} seconds.", field="connect_seconds")
    for step in (plan.step, plan.partner):
        if step is not None:
            _check_step(step)
    if plan.partner is not None and (plan.partner.act, plan.step.act) not in (
        (Act.SUBSCRIBE, Act.PUBLISH),
        (Act.REPLY, Act.REQUEST),
    ):
        raise PlanRefused(
            "A pair is: one subscribes, the other publishes; or one answers, the other requests."
        )
    return url


def _check_step(step: Step) -> None:
    if step.act is not Act.RTT:
        _check_tokens(step.subject, "subject", "The subject", wildcards=step.act in LISTENING)
    if _BLANK.search(step.queue):
        raise PlanRefused("A queue group's name has no blanks.", field="queue")
    if not 1 <= step.messages <= MOST_MESSAGES:
        raise PlanRefused(f"The number of messages is from 1 to {MOST_MESSAGES}.", field="messages")
    if not 0 < step.seconds <= MOST_SECONDS:
        raise PlanRefused(f"The time is more than 0 and at most {MOST_SECONDS:g} seconds.", field="seconds")
    if len(step.payload.encode("utf-8", "surrogatepass")) > LARGEST_KEPT:
        raise PlanRefused("The message is larger than 64 KiB.", field="payload")


def _check_tokens(text: str, name: str, label: str, *, wildcards: bool) -> None:
    tokens = text.split(".")
    if not all(tokens) or _BLANK.search(text) or len(text) > 2000:
        raise PlanRefused(f"{label} is words joined by dots, without blanks, such as orders.new.", field=name)
    if not wildcards and ("*" in tokens or ">" in tokens):
        raise PlanRefused(f"{label} takes no wildcards (* and >).", field=name)
    if ">" in tokens[:-1]:
        raise PlanRefused(f"{label} has > only as its last word.", field=name)
