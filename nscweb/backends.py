"""Who a session belongs to."""

from __future__ import annotations

from typing import Any

from allauth.account.auth_backends import AuthenticationBackend

from identities.models import Person
from identities.services import second_factors


class PersonBackend(AuthenticationBackend):
    """django-allauth's, which also reads whether a second factor is demanded and there, in the same query."""

    def get_user(self, user_id: Any) -> Person | None:
        """The person with this id who may sign in, or None."""
        return second_factors.with_demand(Person.objects.filter(pk=user_id, is_active=True)).first()
