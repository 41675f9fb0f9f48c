"""The events of clients as people ask for them, with whose keys they name and why a login was refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from django.db.models import Q, QuerySet

from identities.claims import codec
from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.claims.revocations import EVERYONE
from identities.models import Account, Cluster, EventKind, Operator, ServerEvent, User
from identities.nkeys import kind_of
from identities.queries import holders
from identities.queries.holders import Holder

LONGEST = 200


class Why(StrEnum):
    """Why a login was refused, as far as what stands here tells."""

    NO_JWT = "no-jwt"
    STRANGE_ACCOUNT = "strange-account"
    ACCOUNT_DELETED = "account-deleted"
    EXPIRED = "expired"
    NOT_YET = "not-yet"
    STRANGE_USER = "strange-user"
    DELETED = "deleted"
    SUSPENDED = "suspended"
    FORMER_KEY = "former-key"
    REVOKED = "revoked"
    ACCOUNT_EXPIRED = "account-expired"
    ISSUER_GONE = "issuer-gone"
    RESTRICTED = "restricted"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why, and since or until when (Unix seconds, 0 where that is no matter of time). `newer`: a later JWT exists."""

    why: Why
    at: int = 0
    newer: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A filter: a kind, and a name, public key, address or client; "" asks for all."""

    kind: str = ""
    text: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Wanted:
        """From a query string; an unknown kind asks for all."""
        kind = query.get("kind", "")
        text = query.get("text", "").replace("\x00", "").strip()[:LONGEST]
        return cls(kind=kind if kind in set(EventKind) else "", text=text)

    def __bool__(self) -> bool:
        return bool(self.kind or self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """What the events of one page are told with: whose keys they name, and the accounts and users as they are now."""

    known: Mapping[str, Holder]
    accounts: Mapping[str, tuple[Account, Claims[AccountBody]]]
    users: Mapping[str, User]


def events(
    operator: Operator, wanted: Wanted, *, cluster: Cluster | None = None, account: str = "", user: str = ""
) -> QuerySet[ServerEvent]:
    """The events in one cluster of an operator, or in all of them of an account or user."""
    found = ServerEvent.objects.select_related("cluster")
    found = found.filter(cluster=cluster) if cluster else found.filter(cluster__operator=operator)
    if user:
        found = found.filter(user_key=user)
    elif account:
        found = found.filter(account_key=account)
    if wanted.kind:
        found = found.filter(kind=wanted.kind)
    if wanted.text:
        found = found.filter(_about(operator, wanted.text))
    return found


def background(operator: Operator, rows: Sequence[ServerEvent]) -> Background:
    """What is needed to tell of these events: three queries, however many they are."""
    known = holders.of_keys(operator, {key for row in rows for key in (row.account_key, row.user_key)})
    refused = [row for row in rows if row.kind == EventKind.AUTH_FAILED]
    accounts = Account.objects.filter(
        operator=operator, deleted_at=None, public_key__in={row.account_key for row in refused}
    )
    users = User.objects.filter(
        operator=operator, deleted_at=None, public_key__in={row.user_key for row in refused}
    )
    return Background(
        known=known,
        accounts={row.public_key: (row, codec.from_payload(row.claims)) for row in accounts},
        users={row.public_key: row for row in users},
    )


def cause(row: ServerEvent, behind: Background) -> Cause:
    """Why this login was refused: the first thing that would have kept the JWT out, as things stand here now."""
    at = int(row.at.timestamp())
    if not row.user_key:
        return Cause(why=Why.NO_JWT)
    holder, account = behind.known.get(row.user_key), behind.accounts.get(row.account_key)
    user = behind.users.get(row.user_key)
    newer = user is not None and user.last_iat > row.issued
    if account is None:
        gone = row.account_key in behind.known
        return Cause(why=Why.ACCOUNT_DELETED if gone else Why.STRANGE_ACCOUNT)
    if row.expires and row.expires <= at:
        return Cause(why=Why.EXPIRED, at=row.expires, newer=newer)
    if row.not_before > at:
        return Cause(why=Why.NOT_YET, at=row.not_before, newer=newer)
    if holder is not None and holder.deleted:
        return Cause(why=Why.DELETED)
    if holder is not None and holder.former:
        return Cause(why=Why.FORMER_KEY)
    if user is not None and user.suspended_at is not None:
        return Cause(why=Why.SUSPENDED, at=int(user.suspended_at.timestamp()))
    held, claims = account
    revoked = max(claims.nats.revocations.get(row.user_key, 0), claims.nats.revocations.get(EVERYONE, 0))
    if revoked and revoked >= row.issued:
        return Cause(why=Why.REVOKED, at=revoked, newer=user is not None and user.last_iat > revoked)
    if held.expires and held.expires <= at:
        return Cause(why=Why.ACCOUNT_EXPIRED, at=held.expires)
    return _of_live(user, claims) if user is not None else Cause(why=Why.STRANGE_USER)


def _of_live(user: User, account: Claims[AccountBody]) -> Cause:
    keys = {account.sub, *(entry.key for entry in account.nats.signing_keys)}
    if user.issuer not in keys:
        return Cause(why=Why.ISSUER_GONE)
    limits = codec.from_payload(user.claims).nats.limits
    restricted = bool(limits.src or limits.times or limits.allowed_connection_types)
    return Cause(why=Why.RESTRICTED if restricted else Why.UNKNOWN)


def _about(operator: Operator, text: str) -> Q:
    if kind_of(text) is not None:
        return Q(user_key=text) | Q(account_key=text)
    named = User.objects.filter(operator=operator, name__icontains=text).values("public_key")
    return Q(name__icontains=text) | Q(address__startswith=text) | Q(user_key__in=named)
