"""Who may push account JWTs."""

from __future__ import annotations

from django import forms

from identities.forms.base import BaseForm


class PushDoorForm(BaseForm):
    """Opens the account server for pushes, or gives it a new password."""

    self_signed = forms.BooleanField(
        required=False,
        label="Self-signed accounts too",
        help_text="They wait on this page until somebody has the operator sign them, as a managed operator does.",
    )
