"""The sign-in page: name and password by django-allauth, and a button for each provider of single sign-on."""

from __future__ import annotations

from typing import Any

from allauth.account.views import LoginView

from identities.views import sign_on_shown


class SignInView(LoginView):
    """allauth's page, which knows the providers too."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """What the template shows."""
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return {**context, "providers": sign_on_shown.choices()}


sign_in = SignInView.as_view()
