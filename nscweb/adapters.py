"""django-allauth as nscweb wants it: no sign-up, throttled and audited sign-in, sign-out and password change."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.flows.login import get_authentication_records
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from identities.models import Person
from identities.policy.actions import Action
from identities.services import people, sessions
from nscweb import addresses


class AccountAdapter(DefaultAccountAdapter):
    """What allauth asks us about people."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Nobody signs up: the first administrator comes by a one-time link, everybody else is added."""
        return False

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Refuse before the password is hashed: first by our durable count, then by allauth's limits.

        Raises: ValidationError, the same for known and unknown names.
        """
        if wait := people.shut_for(_login(credentials)):
            raise _too_many("with this name", wait)
        try:
            super().pre_authenticate(request, **credentials)
        except ValidationError:
            raise _too_many("with this name, or very many from your address", _CACHED) from None

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        """Count and audit a wrong name or password."""
        people.record_failure(username=_login(credentials), address=addresses.client_address(request))

    def get_client_ip(self, request: HttpRequest) -> str:
        """Where a session is opened from."""
        return addresses.client_address(request) or sessions.NOWHERE

    def login(self, request: HttpRequest, user: AbstractBaseUser) -> None:
        """Open the session and audit it, both or neither."""
        by = _SIGNED_IN.get(_second(request, user), "Signed in")
        with transaction.atomic():
            super().login(request, user)
            _record(request, user, Action.SIGN_IN, by)

    def logout(self, request: HttpRequest) -> None:
        """Close the session and audit it, both or neither."""
        with transaction.atomic():
            if isinstance(request.user, Person):
                _record(request, request.user, Action.SIGN_OUT, "Signed out")
            super().logout(request)

    def set_password(self, user: AbstractBaseUser, password: str) -> None:
        """Change the password and audit it, both or neither; every other session of the person ends by it."""
        with transaction.atomic():
            super().set_password(user, password)
            if isinstance(user, Person):
                sessions.drop_all(user, but=self.request.session.session_key or "")
            _record(self.request, user, Action.PASSWORD_CHANGE, "Changed the password")

    def respond_user_inactive(self, request: HttpRequest, user: AbstractBaseUser) -> HttpResponse:
        """Somebody who may no longer sign in is told nothing more than anybody else."""
        return redirect("account_login")

    def add_message(self, *args: Any, **kwargs: Any) -> None:
        """Say nothing: "signed in as" on the next page is noise."""


_CACHED = timedelta(minutes=5)
"""The longest of the windows of `ACCOUNT_RATE_LIMITS["login_failed"]`."""


def _too_many(which: str, wait: timedelta) -> ValidationError:
    minutes = -(-int(wait.total_seconds()) // 60) or 1
    return ValidationError(
        f"Too many sign-ins {which} have failed. Try again in {minutes} minute{'' if minutes == 1 else 's'}. "
        "If the password is forgotten, have a link for a new one sent to you: an owner can make one, too.",
        code="too_many_login_attempts",
    )


_SIGNED_IN = {
    "totp": "Signed in with a second factor",
    "webauthn": "Signed in with a second factor",
    "passkey": "Signed in with a passkey",
}


def _second(request: HttpRequest, user: AbstractBaseUser) -> str:
    """By what beside the password somebody has just shown who they are, "" by nothing."""
    records = [each for each in get_authentication_records(request, user) if each["method"] == "mfa"]
    if not records:
        return ""
    return "passkey" if records[-1].get("passwordless") else str(records[-1]["type"])


def _login(credentials: dict[str, Any]) -> str:
    return str(credentials.get("username") or credentials.get("email") or "")


def _record(request: HttpRequest, person: AbstractBaseUser, action: Action, summary: str) -> None:
    if not isinstance(person, Person):
        raise TypeError(f"{type(person).__name__} is no Person")
    people.record(person=person, action=action, address=addresses.client_address(request), summary=summary)
