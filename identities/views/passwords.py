"""Asks for the password once more before secrets leave; wrong ones are counted as those at sign-in are."""

from __future__ import annotations

from typing import Any, TypeVar

from django.http import HttpRequest

from identities.forms.keys import PasswordForm
from identities.services import people

Form = TypeVar("Form", bound=PasswordForm)


def form(
    request: HttpRequest, kind: type[Form], *, what: str = "Password before a seed", **options: Any
) -> Form:
    """The form as it was sent, or to be filled in. After too many wrong passwords none is looked at."""
    person: Any = request.user
    if request.method != "POST":
        return kind(person=person, **options)
    sent = kind(request.POST, person=person, may_try=people.may_try(person.username), **options)
    if not sent.is_valid() and sent.has_error("password", "wrong"):
        address = str(request.META.get("REMOTE_ADDR", ""))
        people.record_failure(username=person.username, address=address, what=what)
    return sent
