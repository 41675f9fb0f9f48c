"""Certificates and private keys in PEM form: a key is never shown again, nor taken where certificates go."""

from __future__ import annotations

from typing import Any

from django import forms

_BEGIN = "-----BEGIN CERTIFICATE-----"
MISPLACED_KEY = "That holds a private key, which is secret. It was thrown away. Give the certificate alone."
LARGEST = 64 * 1024


class SecretTextarea(forms.Textarea):
    """A text that is taken and never given back, like a password."""

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        """What the widget shows: nothing."""
        context: dict[str, Any] = super().get_context(name, None, attrs)
        return context


def holds_key(text: str) -> bool:
    """Whether a private key stands in the text."""
    return "PRIVATE KEY" in text


def certificates(text: str) -> str:
    """The text itself, when it is empty or holds a certificate.

    Raises: ValidationError.
    """
    if text.strip() and _BEGIN not in text:
        raise forms.ValidationError("That is no certificate in PEM form (-----BEGIN CERTIFICATE-----).")
    return text.strip() + "\n" if text.strip() else ""
