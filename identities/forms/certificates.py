"""Certificates and private keys in PEM form: a key is never shown again, nor taken where certificates go."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from django import forms

from identities.forms.base import SEED_REFUSED, BaseForm
from identities.nkeys import looks_like_seed

_BEGIN = "-----BEGIN CERTIFICATE-----"
_BLOCKS = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)
_SEED = re.compile(r"(?<![A-Z2-7])S[OAUNCX][A-Z2-7]{56}(?![A-Z2-7])")
MISPLACED_KEY = "That holds a private key, which is secret. It was thrown away. Give the certificate alone."
LARGEST = 64 * 1024


class SecretTextarea(forms.Textarea):
    """A text that is taken and never given back, like a password."""

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        """What the widget shows: nothing."""
        context: dict[str, Any] = super().get_context(name, None, attrs)
        return context


class CertificatesForm(BaseForm):
    """A form with fields for certificates. Long random letters may look like a seed, so it looks for seeds itself.

    Seeds, and private keys that came along, are thrown away.
    """

    certificates: ClassVar[tuple[str, ...]] = ()

    def clean(self) -> dict[str, Any]:
        """Certificates only, each with one line end behind it."""
        for name in self.certificates:
            typed = self._typed(name)
            text = typed if isinstance(typed, str) else ""
            if holds_key(text) or holds_seed(text):
                self._replace(name, "")
                self.errors.pop(name, None)
                self.add_error(name, MISPLACED_KEY if holds_key(text) else SEED_REFUSED)
            elif name in self.cleaned_data:
                kept = self.cleaned_data[name].strip()
                if kept and _BEGIN not in kept:
                    self.add_error(name, f"That is no certificate in PEM form ({_BEGIN}).")
                else:
                    self.cleaned_data[name] = f"{kept}\n" if kept else ""
        return super().clean()


def holds_key(text: str) -> bool:
    """Whether a private key stands in the text."""
    return "PRIVATE KEY" in text


def holds_seed(text: str) -> bool:
    """Whether a seed stands in the text; what is between BEGIN and END only looks like one by chance."""
    return _SEED.search(text) is not None or looks_like_seed(_BLOCKS.sub("", text))
