"""Makes the project itself an app, so that its checks are registered."""

from __future__ import annotations

from django.apps import AppConfig


class NscwebConfig(AppConfig):
    """The project as an app without models."""

    name = "nscweb"
    verbose_name = "nscweb"

    def ready(self) -> None:
        """Register the system checks: the one place where a local import is wanted."""
        from nscweb import checks  # noqa: F401  importing registers them
