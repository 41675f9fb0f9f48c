"""One-time links by which somebody takes a user's creds: made by who may hand them out, opened once, then worthless.

Only a hash of a link's token is kept, and no second copy of any secret: opening puts the creds together from the sealed
seed, as a download does. Looking at a link burns nothing, as programs that show previews look too.
"""

from __future__ import annotations

import hashlib
import secrets as random
from dataclasses import dataclass, field, replace
from enum import StrEnum

from django.db import transaction
from django.db.models import QuerySet

from identities import lookup
from identities.errors import IdentityError
from identities.models import HandoverLink, Person, User
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.policy.terms import LINK_LEAST, LINK_MOST, LinkWish
from identities.services import audit, clock, creds, handovers, kept_out
from identities.services import users as users_service

MOST_LISTED = 100
SOMEBODY = "whoever had the link"


class LinkRefused(IdentityError):
    """A link that opens nothing (any more)."""

    code = "link-refused"


class LinkState(StrEnum):
    """What has become of a link."""

    OPEN = "open"
    OPENED = "opened"
    REVOKED = "revoked"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A new link; its token is here and nowhere else."""

    link: HandoverLink
    token: str = field(repr=False)


def make(*, principal: Principal, user: User, wish: LinkWish) -> Made:
    """Make a link to the creds of a user.

    Raises:
        NoSeed: the user's seed is not here. Suspended. IdentityError: a time that won't do, nobody of that name.
    """
    decisions.require(principal, Action.CREDS_DOWNLOAD, users_service.scope(user))
    kept_out.refuse(user)
    if not LINK_LEAST <= wish.lasting <= LINK_MOST:
        raise IdentityError("A link opens for 5 minutes to 14 days.", field="lasting")
    person = _person(wish.username) if wish.username else None
    if person is None and not wish.for_name.strip():
        raise IdentityError("Say for whom it is: the ledger names them.", field="for_name")
    token, moment = random.token_urlsafe(32), clock.now()
    with transaction.atomic():
        creds.key_of(user)
        link = HandoverLink.objects.create(
            operator_id=user.operator_id,
            account_id=user.account_id,
            user=user,
            token_hash=_hash(token),
            person=person,
            for_name=str(person) if person is not None else wish.for_name.strip(),
            maker_id=principal.person_id,
            by=principal.key,
            by_name=principal.name,
            created_at=moment,
            expires_at=moment + wish.lasting,
        )
        bound = "" if person is not None else ", not bound to a person"
        summary = f"Made a one-time link to the creds of user “{user.name}” for “{link.for_name}”{bound}"
        audit.record(
            principal,
            Action.CREDS_DOWNLOAD,
            [users_service.target(user, user.account), _target(link)],
            summary,
        )
    return Made(link=link, token=token)


def revoke(*, principal: Principal, user: User, link_id: int) -> HandoverLink:
    """Have a link open nothing any more.

    Raises:
        NotFound: the user has no such link. IdentityError: it was opened already.
    """
    decisions.require(principal, Action.CREDS_DOWNLOAD, users_service.scope(user))
    with transaction.atomic():
        link = HandoverLink.objects.select_for_update(of=("self",)).filter(user=user, pk=link_id).first()
        if link is None:
            raise lookup.NotFound(f"“{user.name}” has no such link.")
        if link.opened_at is not None:
            raise IdentityError("The link was opened already: revoke the creds instead.")
        if link.revoked_at is None:
            link.revoked_at, link.revoked_by = clock.now(), principal.name
            link.save(update_fields=["revoked_at", "revoked_by"])
            targets = [users_service.target(user, user.account), _target(link)]
            summary = f"Took back the one-time link to the creds of user “{user.name}” for “{link.for_name}”"
            audit.record(principal, Action.CREDS_DOWNLOAD, targets, summary)
    return link


def of_user(user: User) -> QuerySet[HandoverLink]:
    """The links that were made to a user's creds, the latest first."""
    return HandoverLink.objects.filter(user=user).order_by("-created_at", "-pk")[:MOST_LISTED]


def state_of(link: HandoverLink) -> LinkState:
    """What has become of it."""
    if link.opened_at is not None:
        return LinkState.OPENED
    if link.revoked_at is not None:
        return LinkState.REVOKED
    return LinkState.EXPIRED if link.expires_at <= clock.now() else LinkState.OPEN


def look(token: str) -> HandoverLink:
    """The link with this token, which stays what it is.

    Raises:
        LinkRefused: it opens nothing (any more).
    """
    rows = HandoverLink.objects.select_related("user__account__operator", "person", "maker")
    link = rows.filter(token_hash=_hash(token)).first()
    if link is None:
        raise LinkRefused("This link opens nothing. Ask whoever sent it for a new one.")
    _refuse(link)
    return link


def take(*, principal: Principal, token: str) -> creds.Handout:
    """Open a link, which can be done once: the creds as they are now.

    Raises:
        LinkRefused: it opens nothing (any more), or not to this person. NoSeed. Suspended.
    """
    with transaction.atomic():
        found = look(token)
        row = HandoverLink.objects.select_for_update(of=("self",)).get(pk=found.pk)
        _refuse_state(row)
        _refuse_other(found, principal)
        user = found.user
        kept_out.refuse(user)
        handout = creds.file_of(user, creds.key_of(user))
        row.opened_at, row.opened_from = clock.now(), principal.address[:64]
        row.save(update_fields=["opened_at", "opened_from"])
        taker = _taker(found, principal)
        handovers.record(
            replace(principal, key=found.by, name=found.by_name),
            handovers.Way.LINK,
            handovers.of_users([user]),
            recipient=handovers.Recipient(key=taker.key, name=taker.name),
        )
        targets = [users_service.target(user, user.account), _target(found)]
        summary = (
            f"Took the creds of user “{user.name}” by the one-time link that {found.by_name} made for "
            f"“{found.for_name}”"
        )
        audit.record(taker, Action.CREDS_DOWNLOAD, targets, summary)
    return handout


def _taker(link: HandoverLink, principal: Principal) -> Principal:
    """Whoever opens it: the person that it is bound to, else somebody who is known by the link alone."""
    if link.person_id is not None:
        return principal
    return replace(principal, key=f"link:{link.pk}", name=f"{SOMEBODY} for “{link.for_name}”"[:150])


def _refuse(link: HandoverLink) -> None:
    _refuse_state(link)
    user = link.user
    if user.deleted_at is not None or user.account.deleted_at is not None:
        raise LinkRefused("The user that this link was made for is gone.")
    if link.maker is not None and not _still_may(link.maker, user):
        raise LinkRefused(
            "Whoever made this link may not hand out these creds any more. Ask somebody else for a new one."
        )


def _refuse_state(link: HandoverLink) -> None:
    told = {
        LinkState.OPENED: "This link was opened already, and it works once. If that was not you, tell whoever sent it: "
        "the creds have to be revoked.",
        LinkState.REVOKED: "This link was taken back. Ask whoever sent it.",
        LinkState.EXPIRED: "This link has expired. Ask whoever sent it for a new one.",
    }.get(state_of(link))
    if told is not None:
        raise LinkRefused(told)


def _refuse_other(link: HandoverLink, principal: Principal) -> None:
    if link.person_id is not None and link.person_id != principal.person_id:
        raise LinkRefused("This link is for somebody else: it opens only to the person that it was made for.")


def _still_may(maker: Person, user: User) -> bool:
    held = lookup.person_principal(maker)
    allowed = decisions.decide(held, Action.CREDS_DOWNLOAD, users_service.scope(user))
    return maker.is_active and isinstance(allowed, decisions.Allowed)


def _person(username: str) -> Person:
    found = Person.objects.filter(username__iexact=username.strip(), is_active=True).first()
    if found is None:
        raise IdentityError(
            f"Nobody signs in as “{username.strip()[:60]}”. Leave it empty for a link that opens to whoever has it.",
            field="username",
        )
    return found


def _target(link: HandoverLink) -> audit.Target:
    return audit.Target(kind="link", key=f"link:{link.pk}", name=f"the link for “{link.for_name}”")


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
