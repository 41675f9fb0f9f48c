"""The form of an activation token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from identities.forms.base import BaseForm
from identities.forms.entries import AccountField, SubjectField
from identities.forms.fields import MomentField
from identities.forms.operators import EXPIRY_HELP, START_HELP


class ActivationForm(BaseForm):
    """For whom a private export is opened, how much of it, and for how long."""

    paths: ClassVar[Mapping[str, str]] = {
        "sub": "target",
        "nats.subject": "subject",
        "exp": "expires",
        "nbf": "not_before",
    }
    words: ClassVar[Mapping[str, str]] = {
        "target": "sub",
        "subject": "subject",
        "expires": "exp",
        "not_before": "nbf",
    }

    target = AccountField(
        label="Account",
        help_text="The account that may import: its name, or its public key (A…) if it is not known here.",
    )
    subject = SubjectField(label="Subject", help_text="The export's subject, or a part of it.")
    expires = MomentField(label="Expires", help_text=EXPIRY_HELP)
    not_before = MomentField(label="Not before", help_text=START_HELP)
