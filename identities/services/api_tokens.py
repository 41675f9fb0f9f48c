"""Tokens of the API: made and shown once, found by their prefix, compared by the hash of their secret part."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets as random
import string
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.core.cache import cache
from django.db import transaction

from identities import lookup
from identities.errors import IdentityError
from identities.models import ApiToken, Operator, Person, ServiceAccount
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import HeldRole, Narrowing, Principal, Role, ScopeKind, Way
from identities.services import audit, clock, refusals, second_factors

BRAND = "nscweb"
"""What every token begins with, for scanners of source code: `nscweb_<prefix>_<secret>`."""
SHAPE = re.compile(r"nscweb_([a-z0-9]{12})_([A-Za-z0-9]{43})")
MOST_FAILURES = 30
"""So many refused tokens a minute may come from one address; then it waits."""
WINDOW = 60
NOTED_EVERY = timedelta(minutes=1)
LONGEST = timedelta(days=366)
_LETTERS = string.ascii_letters + string.digits
_FAILURES = "api-token-failures:"


class TokenRefused(IdentityError):
    """No token, or one that opens nothing (any more)."""

    code = "token-refused"


class SecondFactorMissing(IdentityError):
    """The token is right, but its person has to have a second factor here, and has none."""

    code = "second-factor-missing"


class TooManyFailures(IdentityError):
    """Too many refused tokens came from this address lately."""

    code = "too-many-failures"


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A new token: its row, and the text that is shown once and kept nowhere."""

    token: ApiToken
    text: str

    def __repr__(self) -> str:
        return f"Made({self.token.prefix})"


def make(
    *,
    principal: Principal,
    holder: ServiceAccount | Person,
    name: str,
    expires_at: datetime,
    read_only: bool = False,
    operator: Operator | None = None,
) -> Made:
    """Make a token of a service account, or of the very person who asks.

    `read_only` and `operator` narrow what it opens; nothing widens it beyond what its holder may. It remembers its
    maker, who counts as the person behind what a machine does with it (`proposals.refuse_approval`).

    Raises:
        IdentityError: no name, an expiry that is past or too far away. Forbidden: the holder is somebody else.
    """
    _require(principal, holder)
    name, moment = name.strip(), clock.now()
    if not name:
        raise IdentityError("Say what the token is for.", field="name")
    if not moment < expires_at <= moment + LONGEST:
        raise IdentityError(f"Choose an expiry within the next {LONGEST.days} days.", field="expires")
    prefix = "".join(random.choice(string.ascii_lowercase + string.digits) for _ in range(12))
    secret = "".join(random.choice(_LETTERS) for _ in range(43))  # 62^43 > 2^256
    with transaction.atomic():
        token = ApiToken.objects.create(
            service_account=holder if isinstance(holder, ServiceAccount) else None,
            person=holder if isinstance(holder, Person) else None,
            name=name,
            prefix=prefix,
            secret_hash=_hash(secret),
            read_only=read_only,
            operator=operator,
            maker_id=principal.behind,
            by_name=principal.name,
            created_at=moment,
            expires_at=expires_at,
        )
        until = f"{expires_at:%Y-%m-%d %H:%M} UTC"
        audit.record(
            principal,
            Action.TOKEN_CREATE,
            [target(token)],
            f"Made the token “{name}” of “{holder}”, valid until {until}",
        )
    return Made(token=token, text=f"{BRAND}_{prefix}_{secret}")


def revoke(*, principal: Principal, token: ApiToken) -> None:
    """End a token at once; a second time changes nothing."""
    holder = holder_of(token)
    _require(principal, holder)
    with transaction.atomic():
        row = ApiToken.objects.select_for_update(of=("self",)).get(pk=token.pk)
        if row.revoked_at is not None:
            return
        row.revoked_at = clock.now()
        row.save(update_fields=["revoked_at"])
        audit.record(
            principal, Action.TOKEN_REVOKE, [target(row)], f"Revoked the token “{row.name}” of “{holder}”"
        )


def principal_of(authorization: str, *, address: str) -> Principal:
    """Who comes with this `Authorization` header: the token's holder, narrowed as the token says.

    Raises:
        TokenRefused: no bearer token, an unknown, expired or revoked one, or its holder is switched off.
        SecondFactorMissing: its person is asked for a second factor, as on the pages, and has none.
        TooManyFailures: this address sent too many of these.
    """
    kind, _, text = authorization.partition(" ")
    found = SHAPE.fullmatch(text.strip()) if kind.lower() == "bearer" else None
    token = _row(found[1]) if found else None
    matches = hmac.compare_digest(
        _hash(found[2] if found else ""), token.secret_hash if token is not None else ""
    )
    problem = _problem(token) if token is not None and matches else "This token is not known here."
    if token is None or problem:
        if not authorization:
            raise TokenRefused("Send a token: Authorization: Bearer nscweb_…")
        _count_failure(address)
        if token is not None:
            _note_refusal(token, address, problem)
        raise TokenRefused(problem)
    principal = _principal(token, address)
    if token.person is not None and second_factors.is_missing(token, principal):
        _note_refusal(token, address, "a second factor is demanded, and there is none.")
        raise SecondFactorMissing(
            f"This installation asks “{token.person}” for a second factor, so their tokens open nothing before there "
            "is one. Sign in to the pages and set one up under “Your account”; the token works again at once."
        )
    _note_use(token, address)
    return narrowed(principal, token)


def narrowed(principal: Principal, token: ApiToken) -> Principal:
    """`principal` with what `token` leaves of its roles, and who made it."""
    roles = principal.roles
    if token.operator_id is not None:
        roles = tuple(left for held in roles if (left := _on_operator(held, token.operator_id)) is not None)
    if token.read_only:
        roles = tuple(replace(held, role=_READING.get((held.kind, held.role), Role.VIEWER)) for held in roles)
    narrowing = Narrowing(
        held=principal.roles,
        read_only=token.read_only,
        operator=token.operator_id,
        operator_name=token.operator.name if token.operator is not None else "",
    )
    return replace(
        principal, roles=roles, token_id=token.pk, token_maker_id=token.maker_id, narrowing=narrowing
    )


_READING = {
    (ScopeKind.INSTALLATION, Role.ADMINISTRATOR): Role.AUDITOR,
    (ScopeKind.INSTALLATION, Role.AUDITOR): Role.AUDITOR,
    (ScopeKind.OPERATOR, Role.ADMINISTRATOR): Role.AUDITOR,
    (ScopeKind.OPERATOR, Role.AUDITOR): Role.AUDITOR,
}
"""What is left of a role when nothing may be changed: all others are left with looking."""


def _on_operator(held: HeldRole, operator: int) -> HeldRole | None:
    if held.kind is ScopeKind.INSTALLATION:
        return replace(held, kind=ScopeKind.OPERATOR, operator=operator)
    return held if held.operator == operator else None


def holder_of(token: ApiToken) -> ServiceAccount | Person:
    """Whose token it is."""
    if token.service_account is not None:
        return token.service_account
    if token.person is not None:
        return token.person
    raise LookupError("a token of nobody")  # the constraint api_token_one_holder forbids it


def target(token: ApiToken) -> audit.Target:
    """How the audit names a token: by its public part."""
    return audit.Target(kind="api-token", key=f"api-token:{token.pk}", name=f"{token.name} ({token.prefix})")


def state_of(token: ApiToken, now: datetime) -> str:
    """valid, expired or revoked."""
    if token.revoked_at is not None:
        return "revoked"
    return "expired" if token.expires_at is not None and token.expires_at <= now else "valid"


def _require(principal: Principal, holder: ServiceAccount | Person) -> None:
    if isinstance(holder, ServiceAccount):
        decisions.require(principal, Action.SERVICE_ACCOUNT_EDIT)
    elif principal.person_id != holder.pk or principal.way is not Way.PAGE:
        raise decisions.Forbidden("A person's tokens are made and revoked by that person alone, signed in.")


def _row(prefix: str) -> ApiToken | None:
    found = ApiToken.objects.select_related("service_account", "person", "operator").filter(prefix=prefix)
    return second_factors.with_demand(found, person="person").first()


def _problem(token: ApiToken) -> str:
    """Why a token that was told right opens nothing; "" when it opens."""
    state = state_of(token, clock.now())
    if state != "valid":
        return f"This token is {state}."
    return "" if holder_of(token).is_active else f"“{holder_of(token)}” is switched off."


def _principal(token: ApiToken, address: str) -> Principal:
    holder = holder_of(token)
    if isinstance(holder, ServiceAccount):
        return lookup.service_account_principal(holder, address=address)
    return lookup.person_principal(holder, address=address, way=Way.TOKEN)


def _note_use(token: ApiToken, address: str) -> None:
    """Remember when and from where it was used last, at most once a minute."""
    moment = clock.now()
    if (
        token.last_used_at is None
        or token.last_used_at < moment - NOTED_EVERY
        or token.last_used_from != address
    ):
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=moment, last_used_from=address[:64])


def _count_failure(address: str) -> None:
    key = f"{_FAILURES}{address}"
    if cache.add(key, 1, WINDOW):
        return
    try:
        failures = cache.incr(key)
    except ValueError:  # it ran out in between
        cache.set(key, 1, WINDOW)
        return
    if failures > MOST_FAILURES:
        raise TooManyFailures("Too many tokens were refused that came from your address. Wait a minute.")


def _note_refusal(token: ApiToken, address: str, problem: str) -> None:
    refusals.note(
        Principal(key="nobody", name="somebody with a token", way=Way.TOKEN, address=address),
        target(token),
        f"Refused the token “{token.name}” of “{holder_of(token)}”: {problem}",
    )


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
