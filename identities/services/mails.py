"""Mail, where `NSCWEB_EMAIL_URL` says how it is sent: one reader a mail, plain text."""

from __future__ import annotations

from django.conf import settings
from django.core.mail import send_mail


def configured() -> bool:
    """Whether there is a way to send mail."""
    return bool(settings.EMAIL_CONFIGURED)


def send(subject: str, text: str, reader: str) -> None:
    """Send it from `NSCWEB_EMAIL_FROM`. Raises: OSError, SMTPException: the mail server did not take it."""
    send_mail(subject, text, None, [reader])
