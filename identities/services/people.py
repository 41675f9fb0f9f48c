"""People: the first administrator, sign-in failures, and what the audit hears of sign-in and sign-out.

What somebody typed as a name is kept only when it is one: people type passwords there, and seeds.
"""

from __future__ import annotations

import hashlib
import secrets as random
from dataclasses import replace
from datetime import timedelta

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils.crypto import salted_hmac

from identities.claims import diff
from identities.errors import IdentityError
from identities.models import FirstAdminLink, Grant, Installation, Person, SignInFailure
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal, Role, ScopeKind, Way
from identities.services import audit, clock, ownership

LINK_HOURS = 24
FAILURES_ALLOWED = 10
WINDOW = timedelta(minutes=15)
KEPT = timedelta(days=1)
UNKNOWN = audit.Target(kind="person", key="person:unknown", name="an unknown name")


class LinkRefused(IdentityError):
    """A first-administrator link that does not (any longer) open anything."""

    code = "link-refused"


def needs_first_administrator() -> bool:
    """True while nobody can administer this installation."""
    return not ownership.owners().exists()


def first_admin_token(*, principal: Principal) -> str:
    """Make a one-time token for the first administrator's link; earlier unused ones stop working.

    Raises:
        IdentityError: there is an administrator already.
    """
    with transaction.atomic():
        _one_at_a_time()
        if not needs_first_administrator():
            raise IdentityError("There is an administrator already: sign in, or have a password reset.")
        token = random.token_urlsafe(32)
        moment = clock.now()
        FirstAdminLink.objects.filter(used_at=None).delete()
        FirstAdminLink.objects.create(
            token_hash=_hash(token), created_at=moment, expires_at=moment + timedelta(hours=LINK_HOURS)
        )
        audit.record(principal, Action.FIRST_ADMINISTRATOR, [], "Printed a link for the first administrator")
    return token


def first_admin_link_opens(token: str) -> bool:
    """True when the link with this token can still be used."""
    return needs_first_administrator() and _open_links(token).exists()


def make_first_administrator(*, principal: Principal, token: str, username: str, password: str) -> Person:
    """Use the one-time link: make the first person, an administrator of the installation.

    Raises:
        LinkRefused: used, expired or unknown link. IdentityError: a password or name that won't do.
    """
    with transaction.atomic():
        _one_at_a_time()
        link = _open_links(token).first()
        if link is None or not needs_first_administrator():
            raise LinkRefused(
                "This link was used already or has expired. Print a new one: manage.py first_admin"
            )
        person = add_person(username=username, password=password, role=Role.ADMINISTRATOR)
        link.used_at = clock.now()
        link.save(update_fields=["used_at"])
        audit.record(
            replace(principal, key="link", name="the one-time link"),
            Action.FIRST_ADMINISTRATOR,
            [target(person)],
            f"“{person}” is the first administrator",
        )
    return person


def add_person(*, username: str, password: str, role: Role | None) -> Person:
    """Insert a person holding `role` (None: nothing) on the whole installation; runs in its caller's transaction."""
    person = new_person(username=username)
    try:
        validate_password(password, person)
    except ValidationError as refused:
        raise IdentityError(" ".join(refused.messages), field="password") from None
    person.set_password(password)
    person.save()
    if role is not None:
        kind, moment = ScopeKind.INSTALLATION, clock.now()
        Grant.objects.create(person=person, role=role, scope_kind=kind, created_at=moment)
    return person


def new_person(*, username: str, name: str = "") -> Person:
    """A person who is not saved yet, under a name to sign in with that nobody has.

    Raises: IdentityError: none was given, or it is taken.
    """
    wanted = username.strip()
    if not wanted:
        raise IdentityError("Choose a name to sign in with.", field="username")
    if Person.objects.filter(username__iexact=wanted).exists():
        raise IdentityError(f"“{wanted}” is taken. Choose another name.", field="username")
    return Person(username=wanted, name=name)


def may_try(username: str) -> bool:
    """False while too many sign-ins as `username` failed lately; survives a lost cache."""
    return not shut_for(username)


def shut_for(username: str) -> timedelta:
    """How long nobody may try to sign in as `username`, as too many failed lately; zero when they may."""
    row = SignInFailure.objects.filter(username=_failure_key(username)).first()
    if row is None or row.failures < FAILURES_ALLOWED:
        return timedelta()
    return max(timedelta(), row.first_at + WINDOW - clock.now())


def count_question(what: str) -> int:
    """How often `what` was asked for within the window, this time included; only its HMAC is kept."""
    return counted(what, window=WINDOW)[0]


def counted(what: str, *, window: timedelta) -> tuple[int, int]:
    """The same of any window; and for the first of a new one, how often it was in the one before, else 0."""
    moment, before = clock.now(), 0
    with transaction.atomic():
        row, _ = SignInFailure.objects.select_for_update().get_or_create(
            username=_failure_key(what), defaults={"first_at": moment, "last_at": moment}
        )
        if row.first_at < moment - window:
            before, row.failures, row.first_at = row.failures, 0, moment
        row.failures += 1
        row.last_at = moment
        row.save()
    return row.failures, before


def record_failure(*, username: str, address: str, what: str = "Sign-in") -> None:
    """Count a failed sign-in (or another question for the password), and audit it: by the person's name, or as an
    unknown one.
    """
    moment = clock.now()
    person = Person.objects.filter(username__iexact=username.strip()).first()
    with transaction.atomic():
        row, _ = SignInFailure.objects.select_for_update().get_or_create(
            username=_failure_key(username), defaults={"first_at": moment, "last_at": moment}
        )
        if row.first_at < moment - WINDOW:
            row.failures, row.first_at = 0, moment
        row.failures += 1
        row.last_at = moment
        row.save()
        tried = UNKNOWN if person is None else target(person)
        audit.record(
            Principal.nobody(address), Action.SIGN_IN_FAILED, [tried], f"{what} failed as {tried.name}"
        )
    SignInFailure.objects.filter(last_at__lt=moment - KEPT).delete()


def record(*, person: Person, action: Action, address: str, summary: str) -> None:
    """Audit a sign-in, a sign-out or a changed password; a sign-in clears the failures."""
    who = Principal(key=person.audit_key, name=str(person), way=Way.PAGE, address=address)
    with transaction.atomic():
        if action is Action.SIGN_IN:
            SignInFailure.objects.filter(username=_failure_key(person.username)).delete()
        audit.record(who, action, [target(person)], summary)


def of(principal: Principal) -> Person:
    """The person behind a principal. Raises: Forbidden for commands and tokens."""
    person = None
    if principal.person_id is not None:
        person = Person.objects.filter(pk=principal.person_id, is_active=True).first()
    if person is None:
        raise decisions.Forbidden("Only a person who is signed in can do this.")
    return person


def edit_profile(*, principal: Principal, name: str, email: str) -> Person:
    """Change one's own name and e-mail address."""
    with transaction.atomic():
        person = Person.objects.select_for_update().get(pk=of(principal).pk)
        changed = [
            what
            for what, is_new in (("name", person.name != name), ("e-mail", person.email != email))
            if is_new
        ]
        if changed:
            told = diff.diff({"name": person.name, "email": person.email}, {"name": name, "email": email})
            person.name, person.email = name, email
            person.save(update_fields=["name", "email"])
            summary = f"Changed the own {' and '.join(changed)}"
            audit.record(principal, Action.PROFILE_EDIT, [target(person)], summary, changes=told)
    return person


def target(person: Person) -> audit.Target:
    """How the audit names a person."""
    return audit.Target(kind="person", key=person.audit_key, name=str(person))


def _open_links(token: str) -> QuerySet[FirstAdminLink]:
    return FirstAdminLink.objects.filter(token_hash=_hash(token), used_at=None, expires_at__gt=clock.now())


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _failure_key(username: str) -> str:
    """What failures are counted under: the same for every spelling that finds the same person.

    PostgreSQL finds people by the upper case of their names, where `ı` is `I` and `ſ` is `S`.
    """
    spelling = username.strip().upper().casefold()
    return salted_hmac("identities.sign-in-failure", spelling, algorithm="sha256").hexdigest()


def _one_at_a_time() -> None:
    """Lock the installation's row: two links, or one opened twice at once, never make two administrators."""
    Installation.objects.select_for_update().get()
