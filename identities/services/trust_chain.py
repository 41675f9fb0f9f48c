"""Follows a token from its issuer up to an operator that is known here, and says where the chain is torn."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Q

from identities.claims import codec, trust
from identities.claims.account import AccountBody
from identities.claims.activation import ActivationBody
from identities.claims.common import Claims
from identities.claims.operator import OperatorBody
from identities.claims.user import UserBody
from identities.models import LIVE_FIRST, LIVE_LAST, Account, IssuedToken, Key, Operator, Purpose, User
from identities.nkeys import KeyKind
from identities.policy.principal import Principal
from identities.queries import reach

GOOD, WARN, BAD = "ok", "warn", "danger"
MOST_NAMES = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One step: what was found about `key`, good, doubtful or bad (`ok`, `warn`, `danger`)."""

    text: str
    tone: str
    key: str = ""


def follow(principal: Principal, claims: Claims[Any]) -> tuple[Link, ...]:
    """The chain of a token whose own signature is right, from its subject up; only through what may be seen."""
    body = claims.nats
    if isinstance(body, OperatorBody):
        return tuple(_operator_itself(principal, claims))
    if isinstance(body, AccountBody):
        return tuple(_account_itself(principal, claims))
    if isinstance(body, UserBody):
        return tuple(_user_itself(principal, claims, body))
    if isinstance(body, ActivationBody):
        return tuple(_by_account(principal, claims, body.issuer_account or claims.iss, "Activation"))
    return (
        Link(
            text="Who may issue tokens of this type is not for an operator to say.", tone=WARN, key=claims.iss
        ),
    )


def names(principal: Principal, keys: Iterable[str]) -> dict[str, str]:
    """What people here call each of these keys."""
    wanted = sorted(keys)[:MOST_NAMES]
    rows = (
        Key.objects.filter(_known_keys(principal), public_key__in=wanted)
        .order_by(LIVE_LAST)
        .values_list(
            "public_key", "purpose", "role", "operator__name", "account__name", "user__name", "deleted_at"
        )
    )
    return {
        key: _named(purpose, role, user or account or operator, deleted=deleted is not None)
        for key, purpose, role, operator, account, user, deleted in rows
    }


def _known_keys(principal: Principal) -> Q:
    """The keys that the principal may know: of who sees an operator, those that its JWT names, too."""
    of_operators = reach.keys(principal) & Q(purpose__in=(Purpose.IDENTITY, Purpose.SIGNING))
    return reach.below_operator(principal) | of_operators


def _named(purpose: str, role: str, holder: str, *, deleted: bool) -> str:
    words = {
        Purpose.SIGNING: "signing key of ",
        Purpose.CURVE: "curve key of ",
        Purpose.SPARE: "spare key of ",
    }.get(Purpose(purpose), "")
    name = f"role {role} of {holder}" if purpose == Purpose.ROLE else f"{words}{holder}"
    return f"{name} (deleted)" if deleted else name


def _operator_itself(principal: Principal, claims: Claims[Any]) -> list[Link]:
    row = Operator.objects.visible_to(principal).filter(public_key=claims.sub).order_by(LIVE_FIRST).first()
    if not trust.did_sign(claims, claims):
        return [Link(text="The operator did not sign this itself.", tone=BAD, key=claims.iss)]
    signed = Link(text="Signed by the operator itself", tone=GOOD, key=claims.iss)
    return [signed, _known("Operator", row), *_place(row, claims.jti)]


def _account_itself(principal: Principal, claims: Claims[Any]) -> list[Link]:
    row = (
        Account.objects.visible_to(principal)
        .filter(public_key=claims.sub)
        .order_by(LIVE_FIRST)
        .select_related("operator")
        .first()
    )
    signed = _by_operator(principal, claims, "Account")
    moved = _moved(principal, claims.sub) if row is None else None
    if moved is not None:
        return [*signed, moved]
    return [*signed, _known("Account", row), *_place(row, claims.jti)]


def _moved(principal: Principal, account_key: str) -> Link | None:
    """That an account had this key until it was reissued, and which one it has now."""
    row = (
        Account.objects.visible_to(principal)
        .filter(
            keys__public_key=account_key, keys__purpose=Purpose.IDENTITY, keys__kind=KeyKind.ACCOUNT.value
        )
        .order_by(LIVE_FIRST)
        .first()
    )
    if row is None:
        return None
    words = f"Account “{row.name}” had this key until it was reissued, and has another one since"
    return Link(text=words, tone=WARN, key=row.public_key)


def _user_itself(principal: Principal, claims: Claims[Any], body: UserBody) -> list[Link]:
    near = User.objects.visible_to(principal).select_related("account")
    row = near.filter(public_key=claims.sub).first()
    links = _by_account(principal, claims, body.issuer_account or claims.iss, "User")
    now_another = near.filter(keys__public_key=claims.sub).first() if row is None else None
    if now_another is not None:
        words = f"User “{now_another.name}” had this key, and has another one since"
        return [*links, Link(text=words, tone=WARN, key=now_another.public_key)]
    return [*links, _known("User", row), *_place(row, claims.jti)]


def _by_account(principal: Principal, claims: Claims[Any], account_key: str, what: str) -> list[Link]:
    """The step to the account, and from there to its operator."""
    row = (
        Account.objects.visible_to(principal)
        .filter(public_key=account_key)
        .order_by(LIVE_FIRST)
        .select_related("operator")
        .first()
    )
    if row is None:
        unknown = Link(text=f"{what}'s account is not known here", tone=WARN, key=account_key)
        return [_moved(principal, account_key) or unknown]
    account = codec.from_payload(row.claims)
    if not trust.did_sign(account, claims):
        words = f"Account “{row.name}” does not stand behind this: the issuer is none of its keys (any more)"
        return [Link(text=words, tone=BAD, key=claims.iss)]
    links = [Link(text=f"Signed by account “{row.name}”", tone=GOOD, key=claims.iss)]
    links += _scoped(account, claims)
    links += _strict(row, claims)
    revoked_at = max(account.nats.revocations.get(key, 0) for key in (claims.sub, "*"))
    if what == "User" and revoked_at >= claims.iat and revoked_at:
        links.append(Link(text=f"Revoked in account “{row.name}”", tone=BAD, key=claims.sub))
    if row.deleted_at is not None:
        links.append(Link(text=f"Account “{row.name}” was deleted here", tone=BAD, key=row.public_key))
    return [*links, *_by_operator(principal, account, f"Account “{row.name}”")]


def _scoped(account: Claims[Any], claims: Claims[Any]) -> list[Link]:
    scope = trust.signing_key(account.nats, claims.iss)
    if scope is None or not scope.is_scoped:
        return []
    issues = trust.scoped_signer_issues(scope, claims)
    if issues:
        return [Link(text=f"Refused by role “{scope.role}”: {', '.join(issues)}", tone=BAD, key=scope.key)]
    return [Link(text=f"By role “{scope.role}”, which says what it may do", tone=GOOD, key=scope.key)]


def _strict(row: Account, claims: Claims[Any]) -> list[Link]:
    if row.operator.strict and claims.iss == row.public_key:
        words = f"Operator “{row.operator.name}” requires signing keys: servers refuse what an identity key signed"
        return [Link(text=words, tone=BAD, key=claims.iss)]
    return []


def _by_operator(principal: Principal, claims: Claims[Any], what: str) -> list[Link]:
    """The step to the operator whose key issued `claims`."""
    if claims.iss == claims.sub:
        return [Link(text=f"{what} signed itself: no operator stands behind it", tone=BAD, key=claims.iss)]
    key = (
        Key.objects.filter(_known_keys(principal), public_key=claims.iss, account=None)
        .order_by(LIVE_FIRST)
        .select_related("operator")
        .first()
    )
    if key is None:
        return [Link(text=f"{what}'s operator is not known here", tone=WARN, key=claims.iss)]
    operator = key.operator
    if not trust.did_sign(codec.from_payload(operator.claims), claims):
        words = f"Operator “{operator.name}” does not stand behind {what}: the issuer is none of its keys (any more)"
        return [Link(text=words, tone=BAD, key=claims.iss)]
    if operator.deleted_at is not None:
        return [Link(text=f"Operator “{operator.name}” was deleted here", tone=BAD, key=operator.public_key)]
    return [Link(text=f"{what} is signed by operator “{operator.name}”", tone=GOOD, key=claims.iss)]


def _known(what: str, row: Operator | Account | User | None) -> Link:
    if row is None:
        return Link(text=f"{what} is not known here", tone=WARN)
    if row.deleted_at is not None:
        return Link(text=f"{what} “{row.name}” was deleted here", tone=BAD, key=row.public_key)
    return Link(text=f"{what} “{row.name}” is known here", tone=GOOD, key=row.public_key)


def _place(row: Operator | Account | User | None, jti: str) -> list[Link]:
    """Whether this is the current JWT of its subject."""
    if row is None or row.deleted_at is not None:
        return []
    entries = IssuedToken.objects.of([row.public_key])
    current = row.token
    if current is not None and current.jti == jti:
        return [Link(text="This is its current JWT", tone=GOOD)]
    if entries.filter(jti=jti).exists():
        return [Link(text="This is an earlier JWT of it, replaced since", tone=WARN)]
    return [Link(text="This JWT was not issued here", tone=WARN)]
