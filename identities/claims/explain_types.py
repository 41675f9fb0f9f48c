"""What is asked of the permission tester, what it knows, and the parts of its answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.claims.permissions import ResponsePermission
from identities.claims.user import UserBody

INBOX = "_INBOX"


class Verb(StrEnum):
    """What somebody wants to do."""

    PUBLISH = "publish"
    SUBSCRIBE = "subscribe"
    REQUEST = "request"


class Verdict(StrEnum):
    """`SOMETIMES`: it depends, on chance (weights), on the server's cluster, on a request that came before."""

    YES = "yes"
    NO = "no"
    SOMETIMES = "sometimes"


class Whose(StrEnum):
    """Who says so: the user's own JWT, the role that issued it, its account, another account, or nats-server itself."""

    USER = "user"
    ROLE = "role"
    ACCOUNT = "account"
    OTHER = "other account"
    SERVER = "nats-server"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """May it `verb` on `subject`, subscribing in the queue group `queue`? `inbox` is the client's inbox prefix.

    `mapped` asks about the subject as permissions see it: after the account's mappings, as it stands in errors.
    """

    verb: Verb
    subject: str
    queue: str = ""
    inbox: str = INBOX
    mapped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """All that is known: the user, its account, other accounts by key, and what the operator and the server are.

    `cluster` is the name of the server's cluster, None when unknown. `now` is unix seconds, 0: times are not looked at.
    """

    user: Claims[UserBody]
    account: Claims[AccountBody]
    others: Mapping[str, Claims[AccountBody]] = field(default_factory=dict)
    system_account: str = ""
    strict: bool = False
    cluster: str | None = None
    now: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A field that decides: whose, in the JWT of which key, at which JSON path, with what in it.

    `became` is the entry as it counts for this user: a role's subject filled in.
    """

    whose: Whose
    key: str
    path: str
    entry: str = ""
    became: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of a list as it counts: its subject, the queue group it is for, and where it stands."""

    subject: str
    queue: str
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The lists that a connection of the user gets. No list to allow (None) means everywhere.

    `dropped` are entries of a role that came out as no subject for this user.
    """

    whose: Whose
    name: str
    key: str
    path: str
    pub_allow: tuple[Entry, ...] | None = None
    pub_deny: tuple[Entry, ...] = ()
    sub_allow: tuple[Entry, ...] | None = None
    sub_deny: tuple[Entry, ...] = ()
    resp: ResponsePermission | None = None
    dropped: tuple[Place, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Yes or no by permission rules alone, why, and by which field. `answers`: as an answer to a request it may."""

    allowed: bool
    reason: str
    place: Place | None = None
    answers: ResponsePermission | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one mapping may make of a subject: `share` of a hundred, in `cluster` (None: any); "" is lost."""

    subject: str
    share: int
    cluster: str | None
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Landing:
    """An import that a message goes through: to `subject` in `account`. `problem`: why nats-server lets none through.

    For a stream the way is the other one: `subject` is listened to there, and arrives as `local`.
    """

    account: str
    name: str
    subject: str
    local: str
    place: Place
    problem: str = ""
    from_account: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One subject that a published message may go out on, how often, and whether permissions let it."""

    subject: str
    decision: Decision
    outcome: Outcome | None = None
    landings: tuple[Landing, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The verdict, the sentence and the field that decide, and what happens on the way.

    `sent`: what publishing comes to. `withheld`: denies that keep messages of an allowed subscription back.
    `arrivals`: what imports bring in. `inbox`: for a request, the answer about its reply.
    """

    question: Question
    verdict: Verdict
    reason: str
    place: Place | None = None
    sent: tuple[Sent, ...] = ()
    withheld: tuple[Entry, ...] = ()
    arrivals: tuple[Landing, ...] = ()
    inbox: Answer | None = None
    hints: tuple[str, ...] = ()
