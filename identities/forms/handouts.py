"""What a Kubernetes Secret with a user's creds is called."""

from __future__ import annotations

from typing import ClassVar

from django import forms

from identities.forms.base import BaseForm


class SecretForm(BaseForm):
    """Name and namespace of a Secret; Kubernetes has its own rules for both."""

    remedies: ClassVar = {}

    name = forms.CharField(max_length=300, label="Name", help_text="Small letters, digits and dashes.")
    namespace = forms.CharField(
        required=False, max_length=100, label="Namespace", help_text="Left empty: the one that kubectl uses."
    )
