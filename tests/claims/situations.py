"""Situations to ask the permission tester about, and how it is asked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from identities.claims import explain
from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.claims.explain_types import Answer, Question, Situation, Verb
from identities.claims.limits import OperatorLimits
from identities.claims.mappings import WeightedMapping
from identities.claims.permissions import Permission, ResponsePermission, UserPermissionLimits
from identities.claims.scopes import USER_SCOPE, SigningKey
from identities.claims.user import UserBody

ACCOUNT, OTHER, ROLE, PLAIN, USER = (letter * 56 for letter in "AORPU")
NOTHING = Permission()
UNLIMITED = UserPermissionLimits.unlimited()


def situation(
    *,
    pub: Permission = NOTHING,
    sub: Permission = NOTHING,
    resp: ResponsePermission | None = None,
    template: UserPermissionLimits | None = None,
    tags: tuple[str, ...] = (),
    name: str = "ann",
    other: AccountBody | None = None,
    user: dict[str, Any] | None = None,
    now: int = 0,
    cluster: str | None = None,
    **account: Any,
) -> Situation:
    """A user with these rules, or of a role with `template`, in an account with these fields."""
    keys: tuple[SigningKey, ...] = (SigningKey(key=PLAIN),)
    if template is not None:
        keys = (SigningKey(kind=USER_SCOPE, key=ROLE, role="service", template=template), *keys)
    limits = (
        UserPermissionLimits() if template is not None else replace(UNLIMITED, pub=pub, sub=sub, resp=resp)
    )
    body = UserBody(limits=limits, issuer_account=ACCOUNT, tags=tags)
    made = {
        "nats": body,
        "name": name,
        "sub": USER,
        "iss": ROLE if template is not None else PLAIN,
        "iat": 100,
    }
    account.setdefault("limits", OperatorLimits.unlimited())
    others = {OTHER: Claims(nats=other, name="Exporter", sub=OTHER)} if other is not None else {}
    return Situation(
        user=Claims(**{**made, **(user or {})}),
        account=Claims(nats=AccountBody(signing_keys=keys, **account), name="Shop", sub=ACCOUNT),
        others=others,
        now=now,
        cluster=cluster,
    )


def ask(about: Situation, verb: str, subject: str, queue: str = "", **more: Any) -> Answer:
    return explain.ask(about, Question(verb=Verb(verb), subject=subject, queue=queue, **more))


def allow(*subjects: str, deny: tuple[str, ...] = ()) -> Permission:
    return Permission(allow=subjects, deny=deny)


def mapping(*targets: tuple[str, int], cluster: str = "") -> tuple[WeightedMapping, ...]:
    return tuple(
        WeightedMapping(subject=subject, weight=weight, cluster=cluster) for subject, weight in targets
    )


def told(answer: Answer) -> tuple[str, str, str]:
    """Verdict, whose field, and which."""
    place = answer.place
    return (answer.verdict.value, place.whose.value, place.path) if place else (answer.verdict.value, "", "")
