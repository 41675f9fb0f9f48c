"""Who depends on a signing key of an account: the users and activations that it signed, counted, named, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from django.db.models import F, Q, QuerySet, Value
from django.db.models.functions import StrIndex

from identities.claims import codec, templates
from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.claims.errors import ClaimsError
from identities.claims.scopes import SigningKey
from identities.claims.user import UserBody
from identities.models import Account, Grant, IssuedToken, Key, User
from identities.services import clock

NAMED = 5
"""How many are named before they are only counted."""
MOST_LOOKED_AT = 2000
"""How many users of a role are asked whether its new template would let them in."""


def users_of(account: Account, public_key: str) -> QuerySet[User]:
    """The live users of the account that this key issued."""
    return User.objects.live().filter(account=account, issuer=public_key)


def counted(account: Account, public_key: str) -> tuple[int, str]:
    """How many users this key issued, and in words: `2 users (“a”, “b”)`; "" for none."""
    rows = users_of(account, public_key)
    number = rows.count()
    named = list(rows.order_by("name").values_list("name", flat=True)[:NAMED])
    return number, _words("user", number, named)


def told_of_addition(account: Account, public_key: str) -> tuple[str, ...]:
    """What it means that a key of former days comes back: to JWTs that it signed, and to whoever gave out its creds."""
    if not Key.objects.filter(operator=account.operator_id, public_key=public_key).exists():
        return ()
    now = clock.unix()
    signed = IssuedToken.objects.filter(
        Q(exp=0) | Q(exp__gt=now), operator=account.operator_id, issuer=public_key
    )
    number = signed.count()
    told = []
    if number:
        jwts = "1 JWT" if number == 1 else f"{number:,} JWTs"
        told.append(f"This key signed {jwts} before: valid again from now on, unless revoked.")
    issuers = Grant.objects.filter(signing_key__public_key=public_key, operator=account.operator_id).count()
    if issuers:
        grants = "1 grant lets its holder" if issuers == 1 else f"{issuers:,} grants let their holders"
        told.append(f"{grants} give out creds of this role again: look at who has access to it.")
    return tuple(told)


def told_of_change(claims: Claims[AccountBody], account: Account, after: SigningKey) -> tuple[str, ...]:
    """What a changed role means for its users; `claims` are the account's as they will be."""
    number, users = counted(account, after.key)
    if not number:
        return ()
    told = [
        (
            f"{users} of this role: who of them is connected is dropped as soon as servers have the account's new "
            "JWT, and connects again with the creds it has and the new rights."
        )
    ]
    refused = list(_refused(claims, account, after))
    if refused:
        looked = f" of the first {MOST_LOOKED_AT:,}" if number > MOST_LOOKED_AT else ""
        named = _words("user", len(refused), [name for name, _ in refused[:NAMED]])
        told.append(f"nats-server would refuse {named}{looked} at login: {refused[0][1]}")
    return tuple(told)


def told_of_removal(account: Account, body: AccountBody, gone: SigningKey) -> tuple[str, ...]:
    """What the removal of a signing key means for what it signed, and for what is signed next."""
    told = []
    _, users = counted(account, gone.key)
    if users:
        told.append(
            f"This key issued {users}: who of them is connected is dropped, and their creds stop working, as soon as "
            "servers have the account's new JWT. They work again once they are moved to another key and have new creds."
        )
    if users and gone.is_scoped:
        told.append(
            "What they may do stands in this role alone: moved to a plain key afterwards, they start without any "
            "restriction. Move them first to keep what it gives them."
        )
    if not gone.is_scoped:
        told += _activations(account, gone.key)
        others = [entry for entry in body.signing_keys if not entry.is_scoped and entry.key != gone.key]
        if account.operator.strict and not others:
            told.append(
                "It is the account's last plain signing key, and the operator requires signing keys: until there is "
                "another one, only roles can issue users."
            )
    return tuple(told)


def _activations(account: Account, public_key: str) -> list[str]:
    """Activation tokens stand or fall with the key that signed them."""
    now = clock.unix()
    valid = IssuedToken.objects.filter(
        Q(exp=0) | Q(exp__gt=now), operator=account.operator_id, kind="activation", issuer=public_key
    )
    number, importers = valid.count(), _importers(account, public_key)
    if not number and not importers:
        return []
    imports = f"; imports of {', '.join(importers)} stop" if importers else ""
    tokens = f"{number:,} activation tokens" if number > 1 else "One activation token" if number else "Tokens"
    return [f"{tokens} signed by this key become worthless{imports}."]


def _importers(account: Account, public_key: str) -> list[str]:
    """Other accounts here whose import holds an activation token that this key signed."""
    others = (
        Account.objects.live()
        .filter(operator=account.operator_id)
        .exclude(pk=account.pk)
        .alias(names_it=StrIndex(F("claims"), Value(account.public_key)))
        .filter(names_it__gt=0)
        .order_by("name")
    )
    found = []
    for other in others:
        body: AccountBody = codec.from_payload(other.claims).nats
        tokens = [held.token for held in body.imports if held is not None and held.token]
        if any(_issuer(token) == public_key for token in tokens):
            found.append(f"“{other.name}”")
    return found[:NAMED] + ([f"{len(found) - NAMED:,} more"] if len(found) > NAMED else [])


def _issuer(token: str) -> str:
    claims = codec.peek(token).claims
    return claims.iss if claims is not None else ""


def _refused(claims: Claims[AccountBody], account: Account, role: SigningKey) -> Iterator[tuple[str, str]]:
    """Names of users whom nats-server would not let in with this template, and why."""
    template = role.template
    if template is None:
        return
    subjects = (*template.pub.allow, *template.pub.deny, *template.sub.allow, *template.sub.deny)
    if not any(map(templates.has_template, subjects)):
        return
    documents = users_of(account, role.key).order_by("name").values_list("claims", flat=True)
    for document in documents[:MOST_LOOKED_AT]:
        user: Claims[UserBody] = codec.from_payload(document)
        names = (user.name, user.sub, claims.name, claims.sub)
        try:
            templates.expand_template(template, *names, user.nats.tags, claims.nats.tags)
        except ClaimsError as refused:
            yield user.name, refused.user_message


def _words(noun: str, number: int, named: Sequence[str]) -> str:
    if not number:
        return ""
    more = f" and {number - len(named):,} more" if number > len(named) else ""
    listed = ", ".join(f"“{name}”" for name in named)
    return f"{number:,} {noun}{'' if number == 1 else 's'} ({listed}{more})"
