"""What people say about proposals, and whose edits need a second person."""

from __future__ import annotations

from django import forms

from identities.forms.base import BaseForm
from identities.forms.fields import TextField

LONGEST = 2000


class CommentForm(BaseForm):
    """A remark on a proposal."""

    text = TextField(
        required=True,
        label="Comment",
        max_length=LONGEST,
        widget=forms.Textarea(attrs={"rows": 3, "autocomplete": "off"}),
    )


class DeclineForm(BaseForm):
    """No, and why."""

    note = TextField(
        required=False,
        label="Why not",
        max_length=LONGEST,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


class FourEyesForm(BaseForm):
    """Whose edits of an operator need a second person; the values are those of `services.four_eyes.Mode`."""

    mode = forms.ChoiceField(
        required=False,
        label="Whose edits need a second person",
        choices=(
            ("", "Nobody’s: edits are signed at once"),
            ("members", "Everybody’s but those of owners and operator admins"),
            ("everybody", "Everybody’s"),
        ),
        widget=forms.RadioSelect,
        help_text="Then every edit of this operator, its accounts and users becomes a proposal, and is signed when a "
        "second person with the right approves it. Revoking and suspending never wait.",
    )
