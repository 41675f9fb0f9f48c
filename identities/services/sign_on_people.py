"""Who comes in through a provider: known by its subject alone, never by an e-mail address; their groups as teams."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from django.db import IntegrityError, transaction

from identities.errors import IdentityError
from identities.models import Person, SignOnGroup, SignOnIdentity, SignOnProvider, Team, TeamMember
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.resolver.oidc_drafts import Identity
from identities.services import audit, changes, clock, invitations, ownership, people, sign_on_providers
from identities.services.sign_on import SignOnRefused

LONGEST_USERNAME = 150
_OUTSIDE = re.compile(r"[^a-z0-9._@+-]+")


def arrive(
    *, principal: Principal, provider: SignOnProvider, identity: Identity, invitation: int | None = None
) -> Person:
    """The person whom the provider has just signed in; a new one where the provider or an invitation lets them in.

    `principal` is the visitor. Teams that the provider manages are brought in line, and all of it is audited.

    Raises: SignOnRefused: nobody here is known by that subject, or may not (any longer) come in. It is audited too.
    """
    try:
        with changes.transaction_of_one():
            return _arrived(principal, provider, identity, invitation)
    except IntegrityError:
        raise SignOnRefused("Two sign-ins for the same name met. Start again.") from None
    except SignOnRefused as refused:
        note_refusal(principal=principal, provider=provider, refused=refused)
        raise


def note_refusal(*, principal: Principal, provider: SignOnProvider, refused: IdentityError) -> None:
    """Audit that somebody who came back from the provider was not let in, and why."""
    with transaction.atomic():
        words = f"Sign-in through “{provider.name}” was refused: {refused.user_message}"
        targets = [people.UNKNOWN, sign_on_providers.target(provider)]
        audit.record(principal, Action.SIGN_IN_FAILED, targets, words)


def link(*, principal: Principal, provider: SignOnProvider, identity: Identity) -> SignOnIdentity:
    """Let the signed-in person come in through the provider from now on.

    Raises: SignOnRefused: the provider's account is somebody else's here, or may not come in.
    """
    with changes.transaction_of_one():
        person = _person(principal)
        held = _held(provider, identity)
        if held is not None and held.person_id != person.pk:
            raise SignOnRefused(f"This account at “{provider.name}” is linked to somebody else here already.")
        _refuse_other_domains(provider, identity)
        if held is None:
            held = _linked(provider, identity, person)
            words = f"Linked their account at “{provider.name}”"
            targets = [people.target(person), sign_on_providers.target(provider)]
            audit.record(principal, Action.IDENTITY_LINK, targets, words)
    return held


def unlink(*, principal: Principal, number: int) -> None:
    """Take one of the signed-in person's own ways to sign in away.

    Raises: IdentityError: it is the last one, or not there (any more). LockedOut: its group makes the last owner.
    """
    with transaction.atomic(), ownership.kept():
        person = _person(principal)
        mine = SignOnIdentity.objects.filter(person=person).select_related("provider")
        held = mine.filter(pk=number).first()
        if held is None:
            raise IdentityError("That was taken away already.")
        if not person.has_usable_password() and mine.count() == 1:
            raise IdentityError("It is your only way to sign in: set a password or link another one first.")
        held.delete()
        TeamMember.objects.filter(person=person, managed_by=held.provider.name).delete()
        words = f"Unlinked their account at “{held.provider.name}”"
        targets = [people.target(person), sign_on_providers.target(held.provider)]
        audit.record(principal, Action.IDENTITY_LINK, targets, words)


def is_same(*, principal: Principal, provider: SignOnProvider, identity: Identity) -> bool:
    """Whether the provider's account is linked to the signed-in person, who may still come in."""
    rows = SignOnIdentity.objects.filter(provider=provider, subject=identity.subject, person__is_active=True)
    return rows.filter(person=principal.person_id or 0).exists()


def _arrived(
    principal: Principal, provider: SignOnProvider, identity: Identity, invitation: int | None
) -> Person:
    _refuse_other_domains(provider, identity)
    if provider.groups_claim:  # who leaves a team may be an owner
        ownership.wait_for_turn()
    held = _held(provider, identity)
    if held is not None:
        person = held.person
        if not person.is_active:
            raise SignOnRefused("You are switched off here. An owner can let you in again.")
        held.email, held.last_at = identity.email, clock.now()
        held.save(update_fields=["email", "last_at"])
        words = f"“{person}” came in through “{provider.name}”"
    elif invitation is not None:
        person = invitations.accept_through(
            principal=principal, number=invitation, username=_free_username(identity), name=identity.name
        )
        _linked(provider, identity, person)
        words = f"“{person}” came in through “{provider.name}” for the first time"
    elif provider.creates_people:
        person = Person(username=_free_username(identity), name=identity.name, email=_email(identity.email))
        person.set_unusable_password()
        person.save()
        _linked(provider, identity, person)
        words = f"“{person}” came in through “{provider.name}” for the first time"
    else:
        raise SignOnRefused(
            f"“{provider.name}” knows you, but nobody here has let you in. Ask an owner for an invitation, or sign in "
            "with your password and link this account."
        )
    who = replace(principal, key=person.audit_key, name=str(person), person_id=person.pk)
    teams = _follow_groups(provider, person, identity.groups) if provider.groups_claim else []
    changed = "".join(f"; {what} “{team.name}”" for what, team in teams)
    targets = [people.target(person), sign_on_providers.target(provider)]
    targets += [audit.Target(kind="team", key=team.audit_key, name=team.name) for _, team in teams]
    audit.record(who, Action.SIGN_ON, targets, words + changed)
    return person


def _person(principal: Principal) -> Person:
    """The signed-in person, locked: of two who take ways to sign in away at once, one finds the last."""
    rows = Person.objects.select_for_update(no_key=True).filter(is_active=True)
    person = rows.filter(pk=principal.person_id or 0).first()
    if person is None:
        raise SignOnRefused("Only a person who is signed in can do that.")
    return person


def _held(provider: SignOnProvider, identity: Identity) -> SignOnIdentity | None:
    rows = SignOnIdentity.objects.select_for_update(of=("self",)).select_related("person")
    return rows.filter(provider=provider, subject=identity.subject).first()


def _linked(provider: SignOnProvider, identity: Identity, person: Person) -> SignOnIdentity:
    moment = clock.now()
    return SignOnIdentity.objects.create(
        provider=provider,
        subject=identity.subject,
        person=person,
        email=identity.email,
        created_at=moment,
        last_at=moment,
    )


def _refuse_other_domains(provider: SignOnProvider, identity: Identity) -> None:
    domains = provider.email_domains.split()
    if domains and identity.email.rpartition("@")[2].lower() not in domains:
        raise SignOnRefused(
            f"“{provider.name}” names no verified e-mail address of {' or '.join(domains[:5])} for you."
        )


def _follow_groups(provider: SignOnProvider, person: Person, groups: Iterable[str]) -> list[tuple[str, Team]]:
    """Bring the memberships that this provider manages in line; whoever was put into a team by hand stays, and who is
    the last owner by one.
    """
    mapped = SignOnGroup.objects.filter(provider=provider).select_related("team")
    inside = set(groups)
    wanted = {row.team_id: row.team for row in mapped if row.group in inside}
    held = {
        row.team_id: row
        for row in TeamMember.objects.filter(person=person).select_related("team").order_by("pk")
    }
    changed: list[tuple[str, Team]] = []
    for team_id, row in held.items():
        if row.managed_by == provider.name and team_id not in wanted:
            changed.append((_left(row), row.team))
    for team_id, team in wanted.items():
        if team_id not in held:
            TeamMember.objects.create(
                team=team, person=person, managed_by=provider.name, created_at=clock.now()
            )
            changed.append(("joined", team))
    return changed


def _left(row: TeamMember) -> str:
    """What became of a membership that the provider gives no more."""
    try:
        with transaction.atomic(), ownership.kept():
            row.delete()
    except ownership.LockedOut:
        return "stays, as the last owner, in"
    return "left"


def _free_username(identity: Identity) -> str:
    """A name to sign in with that nobody has: the provider's, or one made from the address or the name."""
    wanted = identity.username or identity.email or identity.name or "person"
    plain = _OUTSIDE.sub(".", wanted.lower()).strip(".")[: LONGEST_USERNAME - 8] or "person"
    taken = {
        name.lower()
        for name in Person.objects.filter(username__istartswith=plain).values_list("username", flat=True)
    }
    return next(
        name for name in (plain, *(f"{plain}-{n}" for n in range(2, len(taken) + 3))) if name not in taken
    )


def _email(text: str) -> str:
    return text if len(text) <= 254 else ""  # the longest that an address may be (RFC 5321)
