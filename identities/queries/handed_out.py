"""The ledger of hand-overs as people ask for it: who received what, by which way, and what has become of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.db.models import Case, CharField, Exists, F, Max, OuterRef, Q, QuerySet, Value, When

from identities.models import EventKind, Handover, Key, Person, Purpose, ServerEvent, ServiceAccount
from identities.nkeys import kind_of
from identities.policy.actions import Action
from identities.policy.principal import Principal, ScopeKind
from identities.queries import reach

LONGEST = 300
MOST_PEOPLE = 200


class State(StrEnum):
    """What has become of a credential, the first that fits."""

    GONE = "account-gone"
    REVOKED = "revoked"
    EXPIRED = "expired"
    RETIRED = "key-removed"
    """Servers don't believe the key (any more) that signed it, or that it is."""
    SUPERSEDED = "superseded"
    """Its user has had a newer JWT or key since; servers still accept this one."""
    VALID = "valid"


ACCEPTED = (State.VALID, State.SUPERSEDED)
"""What still opens something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A filter: the audit key of who received it, a state, and parts of names or whole keys; "" asks for all."""

    to: str = ""
    state: str = ""
    account: str = ""
    role: str = ""
    text: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Wanted:
        """From a query string; an unknown state asks for all."""

        def read(name: str) -> str:
            return query.get(name, "").replace("\x00", "").strip()[:LONGEST]

        state = read("state")
        return cls(
            to=read("to"),
            state=state if state in set(State) else "",
            account=read("account"),
            role=read("role"),
            text=read("text"),
        )

    def __bool__(self) -> bool:
        return bool(self.query())

    def query(self) -> dict[str, str]:
        """As a query string holds it, without what asks for all."""
        return {name: value for name, value in asdict(self).items() if value}


def reachable(principal: Principal) -> QuerySet[Handover]:
    """The hand-overs that a grant to read the ledger covers."""
    return Handover.objects.filter(reach.permitted(principal, Action.LEDGER_VIEW))


def handovers(principal: Principal, wanted: Wanted, *, now: int) -> QuerySet[Any]:
    """Those that the principal may see and that fit, with the names that a row shows and their `state`."""
    found: Any = with_state(reachable(principal), now=now).select_related("account", "operator", "user")
    found = found.defer("account__claims", "operator__claims", "user__claims")
    if wanted.to:
        found = found.filter(recipient=wanted.to)
    if wanted.account:
        named = Q(account__name__icontains=wanted.account)
        found = found.filter(Q(account__public_key=wanted.account) if kind_of(wanted.account) else named)
    if wanted.role:
        named = Q(role__icontains=wanted.role)
        found = found.filter(Q(issuer=wanted.role) if kind_of(wanted.role) else named)
    if wanted.text:
        named = Q(name__icontains=wanted.text) | Q(recipient_name__icontains=wanted.text)
        found = found.filter(Q(subject=wanted.text) if kind_of(wanted.text) else named)
    if wanted.state:
        found = found.filter(state=wanted.state)
    narrowed: QuerySet[Any] = found
    return narrowed


def with_state(rows: QuerySet[Handover], *, now: int) -> QuerySet[Handover]:
    """Hand-overs with what has become of each in `state`. `now` is Unix seconds."""
    live = Key.objects.filter(operator=OuterRef("operator"), deleted_at=None)
    signer = live.filter(account=OuterRef("account"), user=None, public_key=OuterRef("issuer"))
    itself = live.filter(public_key=OuterRef("subject"))
    newer = Q(user__last_iat__gt=F("iat")) | ~Q(user__public_key=F("subject"))
    return rows.annotate(
        state=Case(
            When(
                Q(account__deleted_at__isnull=False) | Q(operator__deleted_at__isnull=False),
                then=Value(State.GONE.value),
            ),
            When(revoked=True, then=Value(State.REVOKED.value)),
            When(exp__gt=0, exp__lte=now, then=Value(State.EXPIRED.value)),
            When(Q(kind="user") & ~Exists(signer), then=Value(State.RETIRED.value)),
            When(~Q(kind="user") & ~Exists(itself), then=Value(State.RETIRED.value)),
            When(Q(user__isnull=False) & newer, then=Value(State.SUPERSEDED.value)),
            default=Value(State.VALID.value),
            output_field=CharField(),
        )
    )


def last_seen(rows: Sequence[Handover]) -> Mapping[str, datetime]:
    """When servers last told of a client with each of these keys, as far as that is kept; one query."""
    keys = {row.subject for row in rows if row.kind == "user"}
    told = ServerEvent.objects.filter(
        user_key__in=keys, kind__in=(EventKind.CONNECTED, EventKind.DISCONNECTED)
    )
    return dict(told.order_by().values_list("user_key").annotate(last=Max("at")))


def recipients(principal: Principal) -> Sequence[tuple[str, str]]:
    """Audit key and name of everybody who may have received something; of a narrow grant, who did of what it sees."""
    if not any(role.kind is ScopeKind.INSTALLATION for role in principal.roles):
        rows = reachable(principal).exclude(recipient="").order_by("recipient").values_list("recipient")
        return list(rows.annotate(name=Max("recipient_name"))[:MOST_PEOPLE])
    people = Person.objects.annotate(kind=Value("person"), called=F("username"))
    machines = ServiceAccount.objects.annotate(kind=Value("service-account"), called=F("name"))
    wanted = ("kind", "pk", "called")
    found: Any = people.values_list(*wanted).union(machines.values_list(*wanted), all=True)
    rows = found.order_by("kind", "called")[: 2 * MOST_PEOPLE]
    return [(f"{kind}:{pk}", called) for kind, pk, called in rows]


def roles_of_issuer(principal: Principal) -> Sequence[Key]:
    """The live roles of which the principal may issue creds by a grant on the role alone; no query for most."""
    ids = {held.signing_key or 0 for held in principal.roles if held.kind is ScopeKind.ROLE}
    if not ids:
        return ()
    rows = Key.objects.filter(pk__in=ids, purpose=Purpose.ROLE, deleted_at=None, account__deleted_at=None)
    rows = rows.filter(operator__deleted_at=None).select_related("account", "operator").defer("sealed")
    return list(rows.order_by("operator__name", "account__name", "role", "pk"))
