"""A forgotten password: a one-time link, mailed by the worker where mail is configured, or made by an owner.

The link proves nothing else: who has a second factor is asked for it at the next sign-in. Nothing tells whether a name
or an address is known: both ways take the same steps, and the worker finds out whom to write to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.urls import reverse

from identities.errors import IdentityError
from identities.models import Person
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.services import audit, jobs, mails, people, sessions

KIND = "password-mail"
MOST = 3
"""Mails to one person within `people.WINDOW`."""
_SAME_ADDRESS = 5
_REFUSED = "This link was used already, has expired, or is not whole. Ask for a new one."


class ResetRefused(IdentityError):
    """A link that does not (any longer) open anything."""

    code = "reset-refused"


def hours() -> int:
    """How long a link works."""
    return settings.PASSWORD_RESET_TIMEOUT // 3600


def ask(*, typed: str, address: str) -> None:
    """Have a link mailed to whoever is called so or has this e-mail address; the same steps for nobody."""
    named = typed.replace("\x00", "").strip()  # which PostgreSQL keeps in no text, so nobody is called so
    found = Person.objects.filter(Q(username__iexact=named) | Q(email__iexact=named), is_active=True)
    known = [person.pk for person in found.exclude(email="")[:_SAME_ADDRESS]] if named else []
    with transaction.atomic():
        if people.count_question(f"reset:{known or named}") > MOST:
            return
        jobs.enqueue(principal=Principal.nobody(address), kind=KIND, payload={"people": known})


def link_for(*, principal: Principal, person: Person) -> str:
    """A link for somebody whom no mail reaches: to be handed over, and shown this once.

    Raises: Forbidden, IdentityError for somebody who is switched off.
    """
    decisions.require(principal, Action.PERSON_EDIT)
    if not person.is_active:
        raise IdentityError(f"“{person}” may not sign in. Switch them on first.")
    with transaction.atomic():
        audit.record(
            principal,
            Action.PASSWORD_RESET,
            [people.target(person)],
            f"Made a link for a new password of “{person}”",
        )
    return _link(person)


def opens(number: int, token: str) -> Person | None:
    """Whose new password a link sets; None for one that opens nothing (any more)."""
    person = Person.objects.filter(pk=number, is_active=True).first()
    return person if person is not None and _tokens.check_token(person, token) else None


def use(*, principal: Principal, number: int, token: str, password: str) -> Person:
    """Set a new password by a link, which then opens nothing; all sessions end.

    Raises: ResetRefused. IdentityError: a password that won't do.
    """
    with transaction.atomic():
        if not Person.objects.select_for_update().filter(pk=number).exists():
            raise ResetRefused(_REFUSED)
        person = opens(number, token)
        if person is None:
            raise ResetRefused(_REFUSED)
        try:
            validate_password(password, person)
        except ValidationError as refused:
            raise IdentityError(" ".join(refused.messages), field="password") from None
        person.set_password(password)
        person.save(update_fields=["password"])
        sessions.drop_all(person)
        by = replace(principal, key="link", name="the one-time link")
        audit.record(by, Action.PASSWORD_RESET, [people.target(person)], f"Set a new password of “{person}”")
    return person


def run(lease: jobs.Lease) -> Mapping[str, object]:
    """Mail the links of a job; the worker's part."""
    sent = 0
    for person in Person.objects.filter(pk__in=jobs.payload_of(lease.job)["people"], is_active=True):
        if not person.has_usable_password():  # signs in elsewhere: mail gives no second way in
            continue
        _mail(person)
        sent += 1
    return {"sent": sent}


HANDLER = jobs.Handler(run=run, attempts=3)


class _Tokens(PasswordResetTokenGenerator):
    """Django's: a token fits the password and the last sign-in that were there when it was made, for some hours."""

    key_salt = "identities.resets"


_tokens = _Tokens()


def _mail(person: Person) -> None:
    text = (
        f"Somebody asked for a new password of “{person.username}” at {settings.NSCWEB_URL}. This link works once, "
        f"for {hours()} hours:\n\n{_link(person)}\n\nIf it was not you, leave it alone: nothing changes.\n"
    )
    mails.send("A new password for nscweb", text, person.email)
    audit.record(
        Principal.worker(), Action.PASSWORD_RESET, [people.target(person)], f"Mailed a link to “{person}”"
    )


def _link(person: Person) -> str:
    path: str = reverse("password-reset", args=[person.pk, _tokens.make_token(person)])
    return f"{settings.NSCWEB_URL}{path}"
