"""Makes the project itself an app, so that its checks are registered."""

from __future__ import annotations

from django.apps import AppConfig


class NscwebConfig(AppConfig):
    """The project as an app without models."""

    name = "nscweb"
    verbose_name = "nscweb"

    def ready(self) -> None:
        """Register the system checks and the library's signal: the one place where a local import is wanted."""
        from django.contrib.auth.signals import user_logged_in

        from nscweb import checks, sessions  # noqa: F401  importing checks registers them

        user_logged_in.connect(sessions.begin, dispatch_uid="nscweb.sessions.begin")
