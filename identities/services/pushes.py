"""Account JWTs that come in over HTTP, as `nsc push` sends them to an account server.

What the operator signed is taken as an import takes it: to the byte, never an older one over a newer, none that would
let in again whom somebody here put out, and none that is dated far ahead. What an account signed itself waits for
somebody to have the operator sign it. Both only with the operator's push password.
Source of the refusals' words: nats-account-server `core/jwthandler.go`; nats-jwt.md §7.4.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, replace
from secrets import token_urlsafe

from django.db import transaction

from identities.claims import codec, trust
from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.claims.errors import ClaimsError
from identities.errors import IdentityError
from identities.models import Account, Offer, Operator, PushDoor
from identities.nkeys import KeyKind
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import HeldRole, Principal, Role, Scope, ScopeKind, Way
from identities.services import (
    accounts,
    adopting,
    audit,
    changes,
    clock,
    columns,
    importing,
    operators,
    signing,
)
from identities.services.import_reading import Collector

PREFIX = "nscwebpush_"
"""Begins every push password, so that scanners find a lost one."""
MOST_OFFERS = 200
"""Self-signed JWTs of different accounts that may wait under one operator."""
LARGEST = 1024 * 1024


class PushRefused(IdentityError):
    """A push that is not taken; the message is the answer's text, `status` its HTTP status."""

    code = "push-refused"

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A push that was taken (`waits` False), or that waits for somebody here to have it signed."""

    waits: bool


def door_of(operator_id: int) -> PushDoor | None:
    """How pushes come in; None when none do."""
    return PushDoor.objects.filter(operator=operator_id).first()


def open_door(*, principal: Principal, operator: Operator, self_signed: bool) -> str:
    """Let pushes in, under a new password, which is returned this once; an earlier one opens nothing any more."""
    decisions.require(principal, Action.PUSH_DOOR_EDIT, Scope(operator=operator.pk))
    password = PREFIX + token_urlsafe(32)
    with transaction.atomic():
        row = changes.locked(operator, None)
        fields = {
            "self_signed": self_signed,
            "password_hash": _hash(password),
            "by_name": principal.name,
            "created_at": clock.now(),
        }
        PushDoor.objects.update_or_create(operator=row, defaults=fields)
        kind = "also self-signed ones" if self_signed else "signed by the operator"
        said = f"Account JWTs may be pushed to “{row.name}” ({kind}), with a new password"
        audit.record(principal, Action.PUSH_DOOR_EDIT, [operators.target(row)], said)
    return password


def close_door(*, principal: Principal, operator: Operator) -> None:
    """Take no more pushes; what waits stays."""
    decisions.require(principal, Action.PUSH_DOOR_EDIT, Scope(operator=operator.pk))
    with transaction.atomic():
        row = changes.locked(operator, None)
        if PushDoor.objects.filter(operator=row).delete()[0]:
            said = f"Account JWTs can't be pushed to “{row.name}” any more"
            audit.record(principal, Action.PUSH_DOOR_EDIT, [operators.target(row)], said)


def receive(*, operator_id: int, account_key: str, text: str, password: str, address: str) -> Received:
    """Take a pushed JWT, or keep it waiting.

    Raises:
        PushRefused: no pushes here, another password, a JWT that is damaged, another account's, older than ours, of
            nobody who is trusted.
    """
    door = door_of(operator_id)
    if door is None:
        raise PushRefused("pushing account JWTs is not enabled for this operator", 405)
    if not hmac.compare_digest(_hash(password), door.password_hash):
        raise PushRefused("wrong push password: write it into the URL, https://push:PASSWORD@host/…", 401)
    operator = Operator.objects.live().select_related("token").get(pk=operator_id)
    claims = _read(text, account_key)
    if trust.did_sign(changes.claims_of(operator), claims):
        return _take(operator, claims, text.strip(), address)
    if claims.iss != claims.sub:
        raise PushRefused("bad JWT issuer is not trusted")
    if not door.self_signed:
        raise PushRefused("self-signed account JWTs are not taken by this operator")
    return _keep(operator, claims, text.strip(), address)


def waiting(operator: Operator) -> list[Offer]:
    """The self-signed JWTs that wait, the oldest first."""
    return list(Offer.objects.filter(operator=operator).order_by("at", "pk"))


def account_of(offer: Offer) -> Account | None:
    """The account that an offer would change; None for a new one."""
    return (
        Account.objects.live()
        .select_related("operator", "token")
        .filter(operator=offer.operator_id, public_key=offer.account_key)
        .first()
    )


def plan_accept(account: Account, offer: Offer) -> changes.Change:
    """What taking an offer would change on an account that is here."""
    offered: Claims[AccountBody] = codec.decode(offer.text).claims

    def apply(before: Claims[AccountBody]) -> Claims[AccountBody]:
        return replace(offered, iss=before.iss, iat=before.iat, jti=before.jti)

    return changes.plan(account, apply, now=clock.unix())


def accept(*, principal: Principal, offer: Offer, version: int, signer: str = "") -> Account:
    """Have the operator sign what was offered for an account that is here; by the key `signer`, "" for its issuer.

    Raises: StaleWrite: somebody changed the account meanwhile. InvalidClaims. NoSigner.
    """
    account = account_of(offer)
    if account is None:
        raise IdentityError("This account was deleted meanwhile.")
    with transaction.atomic():
        row = accounts.rewrite(
            principal=principal,
            account=account,
            plan=lambda current: plan_accept(current, offer),
            version=version,
            done="Took the pushed JWT of account",
            signer=signer,
        )
        Offer.objects.filter(pk=offer.pk).delete()
    return row


def accept_new(*, principal: Principal, offer: Offer) -> Account:
    """Take over an account that was not here, self-signed as it is: the operator signs it with its first edit.

    Raises: see `adopting.adopt_account`.
    """
    with transaction.atomic():
        adopted = adopting.adopt_account(
            principal=principal, operator=offer.operator, text=offer.text, foreign=True
        )
        Offer.objects.filter(pk=offer.pk).delete()
    return adopted.row


def decline(*, principal: Principal, offer: Offer) -> None:
    """Throw an offer away."""
    decisions.require(principal, Action.PUSH_DOOR_EDIT, Scope(operator=offer.operator_id))
    with transaction.atomic():
        Offer.objects.filter(pk=offer.pk).delete()
        target = audit.Target(
            kind="account",
            key=offer.account_key,
            name=offer.name,
            operator_key=offer.operator.public_key,
        )
        audit.record(
            principal, Action.PUSH_DOOR_EDIT, [target], f"Declined the pushed JWT of account “{offer.name}”"
        )


def _read(text: str, account_key: str) -> Claims[AccountBody]:
    if len(text) > LARGEST:
        raise PushRefused("bad JWT in request: it is larger than 1 MiB")
    try:
        token = adopting.read(text, KeyKind.ACCOUNT)
    except (IdentityError, ClaimsError) as bad:
        raise PushRefused(f"bad JWT in request: {bad.user_message}") from None
    if token.claims.sub != account_key:
        raise PushRefused("pub keys don't match")
    found = changes.check(token.claims, token.claims, now=clock.unix())
    if found.blocking:
        raise PushRefused("\n".join(issue.message for issue in found.errors))
    claims: Claims[AccountBody] = token.claims
    return claims


def _take(operator: Operator, claims: Claims[AccountBody], text: str, address: str) -> Received:
    row = Account.objects.live().filter(operator=operator, public_key=claims.sub).first()
    if row is not None and row.token is not None and row.token.text == text:
        return Received(waits=False)
    if row is not None and claims.iat <= row.last_iat:
        raise PushRefused("the JWT in the request is not newer than the one that is here: pull first")
    _refuse_ahead(claims)
    collector = Collector(seal=False)
    collector.text("the pushed JWT", text.encode())
    done = importing.perform(principal=_pusher(operator, address), collected=collector.finished())
    if done["nothing"]:
        said = "; ".join(note["message"] for note in done["notes"]) or "it could not be taken"
        raise PushRefused(f"not saved: {said}", 409)
    with transaction.atomic():
        Offer.objects.filter(operator=operator, account_key=claims.sub, iat__lte=claims.iat).delete()
    return Received(waits=False)


def _refuse_ahead(claims: Claims[AccountBody]) -> None:
    ahead = claims.iat - clock.unix()
    if ahead > signing.TAKEN_AHEAD:
        raise PushRefused(f"not saved: {signing.AHEAD.format(ahead=ahead)}", 409)


def _keep(operator: Operator, claims: Claims[AccountBody], text: str, address: str) -> Received:
    _refuse_ahead(claims)
    with transaction.atomic():
        changes.locked(operator, None)
        held = Offer.objects.filter(operator=operator, account_key=claims.sub).first()
        if held is not None and held.iat > claims.iat:
            raise PushRefused("a newer self-signed JWT of this account waits already")
        if held is None and Offer.objects.filter(operator=operator).count() >= MOST_OFFERS:
            raise PushRefused("too many self-signed accounts wait already", 429)
        name = columns.name_of(claims)
        fields = {"name": name, "text": text, "iat": claims.iat, "address": address, "at": clock.now()}
        Offer.objects.update_or_create(operator=operator, account_key=claims.sub, defaults=fields)
        target = audit.Target(kind="account", key=claims.sub, name=name, operator_key=operator.public_key)
        said = f"A self-signed JWT of account “{name}” was pushed and waits"
        audit.record(_pusher(operator, address), Action.ACCOUNT_PUSH, [target], said)
    return Received(waits=True)


def _pusher(operator: Operator, address: str) -> Principal:
    """Whoever holds the push password: a machine, with the operator's scope."""
    held = HeldRole(role=Role.ADMINISTRATOR, kind=ScopeKind.OPERATOR, operator=operator.pk)
    return Principal(
        key=f"push:{operator.public_key}", name="nsc push", way=Way.TOKEN, address=address, roles=(held,)
    )


def _hash(password: str) -> str:
    return hashlib.sha256(password.encode()).hexdigest()
