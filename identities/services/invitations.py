"""Invitations: an expiring link by which one person comes in, with the roles and teams that wait for them.

Nobody gives by one what they may not give themselves: it is asked when the link is made, and again when it is used.
"""

from __future__ import annotations

import hashlib
import secrets as random
from dataclasses import dataclass, replace
from datetime import timedelta
from smtplib import SMTPException
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet

from identities import lookup
from identities.errors import IdentityError
from identities.lookup import NotFound
from identities.models import Invitation, InvitationGrant, Key, Person, Team
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal, Role
from identities.queries import reach
from identities.services import audit, changes, clock, grants, mails, people, secrets, teams

DAYS = 7
MOST_OPEN = 500


class InvitationRefused(IdentityError):
    """A link that does not (any longer) let anybody in."""

    code = "invitation-refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class InvitationDraft:
    """Who is invited, and what waits for them: roles on places, and teams."""

    name: str
    email: str = ""
    roles: tuple[tuple[Role, grants.Place], ...] = ()
    teams: tuple[Team, ...] = ()


def may_invite(principal: Principal) -> decisions.Decision:
    """Whether somebody may invite at all: a person who owns the installation, or administers an operator."""
    if principal.person_id is None:
        return decisions.Denied(
            "Only a person invites people: what waits for them is given in that person's name."
        )
    return reach.anywhere(principal, Action.INVITE)


def invite(*, principal: Principal, draft: InvitationDraft) -> tuple[Invitation, str]:
    """Make an invitation; returns it with the token of its link, which is kept nowhere.

    Raises: Forbidden: `principal` may not invite, or not give one of the roles or teams. IdentityError.
    """
    _require(may_invite(principal))
    if not draft.name.strip():
        raise IdentityError("Say who it is for.", field="name")
    for role, place in draft.roles:
        _require(grants.may_give(principal, role, place))
        if isinstance(place, Key):
            raise IdentityError(
                "Nobody is invited as an issuer: invite them, then make them one.", field="role"
            )
    if draft.teams:
        decisions.require(principal, Action.TEAM_EDIT)
    token, moment = random.token_urlsafe(32), clock.now()
    with transaction.atomic():
        if _unused().count() >= MOST_OPEN:
            raise IdentityError(f"{MOST_OPEN} invitations are open already: revoke some first.")
        row = Invitation.objects.create(
            token_hash=_hash(token),
            name=draft.name.strip(),
            email=draft.email,
            invited_by_id=principal.person_id,
            by_name=principal.name,
            created_at=moment,
            expires_at=moment + timedelta(days=DAYS),
        )
        row.teams.set(draft.teams)
        InvitationGrant.objects.bulk_create(_waiting(row, role, place) for role, place in draft.roles)
        gives = [grants.title(role, place) for role, place in draft.roles]
        gives += [f"member of team “{team.name}”" for team in draft.teams]
        as_what = f" as {', '.join(gives)}" if gives else ""
        audit.record(principal, Action.INVITE, [target(row)], f"Invited “{row.name}”{as_what}")
    return row, token


def send(row: Invitation, link: str) -> str:
    """Mail the link; `sent` or `failed`, "" where none is mailed."""
    if not row.email or not mails.configured():
        return ""
    text = (
        f"{row.by_name} invites you to nscweb. This link works once, until {row.expires_at:%Y-%m-%d %H:%M} UTC:\n\n"
        f"{link}\n\nIf you did not expect it, leave it alone.\n"
    )
    try:
        mails.send("An invitation to nscweb", text, row.email)
    except (OSError, SMTPException):
        return "failed"
    return "sent"


def revoke(*, principal: Principal, number: int) -> Invitation:
    """Have a link let nobody in any more.

    Raises: NotFound: none that `principal` sees. IdentityError: it was used already.
    """
    with transaction.atomic():
        row = visible_to(principal).select_for_update(of=("self",)).filter(pk=number).first()
        if row is None:
            raise NotFound("There is no such invitation.")
        if row.used_at is not None:
            raise IdentityError(f"“{row.name}” has used it already.")
        if row.revoked_at is None:
            row.revoked_at = clock.now()
            row.save(update_fields=["revoked_at"])
            audit.record(principal, Action.INVITE, [target(row)], f"Revoked the invitation of “{row.name}”")
    return row


def visible_to(principal: Principal) -> QuerySet[Invitation]:
    """The invitations that somebody may see and revoke: owners all, others their own."""
    rows = Invitation.objects.select_related("person").order_by("-pk")
    rows = rows.prefetch_related("grants__operator", "grants__account", "teams")
    if isinstance(decisions.decide(principal, Action.PERSON_EDIT), decisions.Allowed):
        return rows
    return rows.filter(invited_by_id=principal.person_id) if principal.person_id else rows.none()


def opened(token: str) -> Invitation | None:
    """The invitation that this link still opens."""
    return _open().filter(token_hash=_hash(token)).first()


def accept(*, principal: Principal, token: str, username: str, password: str) -> Person:
    """Make the person who was invited, with a password.

    Raises: InvitationRefused. IdentityError: a name or password that won't do.
    """
    with changes.transaction_of_one():
        row = _locked(token_hash=_hash(token))
        person = people.new_person(username=username, name=row.name)
        try:
            validate_password(password, person)
        except ValidationError as refused:
            raise IdentityError(" ".join(refused.messages), field="password") from None
        person.set_password(password)
        _accepted(principal, row, person)
    return person


def accept_through(*, principal: Principal, number: int, username: str, name: str) -> Person:
    """The same for somebody whom a provider has just signed in, without a password; in its caller's transaction.

    Raises: InvitationRefused. IdentityError.
    """
    row = _locked(pk=number)
    person = people.new_person(username=username, name=name or row.name)
    person.set_unusable_password()
    _accepted(principal, row, person)
    return person


def waits(row: Invitation) -> tuple[str, ...]:
    """What waits for whoever is invited, in words; `grants` and `teams` are loaded."""
    gives = [grants.title(Role(each.role), _place(each)) for each in row.grants.all()]
    return (*gives, *(f"member of team “{team.name}”" for team in row.teams.all()))


def target(row: Invitation) -> audit.Target:
    """How the audit names an invitation."""
    return audit.Target(kind="invitation", key=f"invitation:{row.pk}", name=row.name)


def _accepted(principal: Principal, row: Invitation, person: Person) -> None:
    inviter = row.invited_by
    if inviter is None or not inviter.is_active:
        raise InvitationRefused(f"“{row.by_name}” may invite nobody any more. Ask somebody else for a link.")
    by = lookup.person_principal(inviter)
    if isinstance(may_invite(by), decisions.Denied):
        raise InvitationRefused(f"“{row.by_name}” may invite nobody any more. Ask somebody else for a link.")
    person.email = row.email
    person.save()
    try:
        for each in row.grants.select_related("operator", "account__operator").order_by("pk"):
            grants.give(principal=by, holder=person, role=Role(each.role), place=_place(each))
        for team in row.teams.order_by("name"):
            teams.add_member(principal=by, team=team, person=person)
    except decisions.Forbidden:
        raise InvitationRefused(
            f"“{row.by_name}” may no longer give what waits for you. Ask for a new link."
        ) from None
    except secrets.SealedInstallation:
        raise
    except IdentityError as refused:
        raise InvitationRefused(f"What waits for you can't be given: {refused.user_message}") from None
    row.used_at, row.person = clock.now(), person
    row.save(update_fields=["used_at", "person"])
    who = replace(principal, key=person.audit_key, name=str(person), person_id=person.pk)
    words = f"“{person}” joined, invited by “{row.by_name}”"
    audit.record(who, Action.JOIN, [people.target(person), target(row)], words)


def _waiting(row: Invitation, role: Role, place: grants.Place) -> InvitationGrant:
    scope = grants.scope_of(place)
    return InvitationGrant(
        invitation=row,
        role=role,
        scope_kind=grants.kind_of(place),
        operator_id=scope.operator,
        account_id=scope.account,
    )


def _place(each: InvitationGrant) -> grants.Place:
    return each.account or each.operator


def _require(decision: decisions.Decision) -> None:
    if isinstance(decision, decisions.Denied):
        raise decisions.Forbidden(decision.reason)


def _locked(**which: Any) -> Invitation:
    """The open invitation, locked: of two who use it at once, one finds it used."""
    row = _open().select_for_update(of=("self",)).filter(**which).first()
    if row is None:
        raise InvitationRefused("This link was used already, was revoked or has expired. Ask for a new one.")
    return row


def _unused() -> QuerySet[Invitation]:
    return Invitation.objects.filter(used_at=None, revoked_at=None, expires_at__gt=clock.now())


def _open() -> QuerySet[Invitation]:
    return _unused().select_related("invited_by")


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
