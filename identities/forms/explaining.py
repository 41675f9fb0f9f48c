"""What the permission tester is asked, and the error texts that the explainer is given."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms

from identities.claims.explain_types import INBOX, Question, Verb
from identities.formats.denials import LONGEST
from identities.forms.base import BaseForm, Group

_CODE = {"spellcheck": "false", "autocomplete": "off", "class": "mono"}


class QuestionForm(BaseForm):
    """May this user … ?"""

    groups: ClassVar[tuple[Group, ...]] = (
        Group(legend="May it …", names=("verb", "subject")),
        Group(legend="Queue group, inbox and cluster", names=("queue", "inbox", "cluster"), advanced=True),
    )

    verb = forms.ChoiceField(
        label="Action",
        choices=[
            (Verb.PUBLISH.value, "publish to"),
            (Verb.SUBSCRIBE.value, "subscribe to"),
            (Verb.REQUEST.value, "make requests on"),
        ],
    )
    subject = forms.CharField(
        max_length=2048,
        label="Subject",
        help_text="A subject to publish to has no wildcards: orders.new. Subscriptions may: orders.>",
        widget=forms.TextInput(attrs=_CODE),
    )
    queue = forms.CharField(
        required=False,
        max_length=255,
        label="Queue group",
        help_text="For subscriptions in a queue group.",
        widget=forms.TextInput(attrs=_CODE),
    )
    inbox = forms.CharField(
        required=False,
        max_length=255,
        label="Inbox prefix",
        help_text=f"For requests of a client that sets one. Empty: {INBOX}.",
        widget=forms.TextInput(attrs=_CODE),
    )
    cluster = forms.CharField(
        required=False,
        max_length=255,
        label="Cluster of the server",
        help_text="Mappings may be for one cluster only. Empty: unknown, and each is shown.",
        widget=forms.TextInput(attrs=_CODE),
    )

    def to_question(self) -> Question:
        """What was asked."""
        typed = self.cleaned_data
        verb = Verb(typed["verb"])
        return Question(
            verb=verb,
            subject=typed["subject"],
            queue=typed["queue"] if verb is Verb.SUBSCRIBE else "",
            inbox=typed["inbox"] or INBOX,
        )


class DenialForm(BaseForm):
    """A line of a server's log or a client's error, and whose it is where it names nobody."""

    text = forms.CharField(
        strip=False,
        max_length=LONGEST,
        label="Log lines or error",
        help_text="Of nats-server's log, or what a client printed; up to ten lines that say something are explained. "
        "Nothing of it is stored.",
        widget=forms.Textarea(attrs={**_CODE, "rows": 6}),
    )
    user = forms.CharField(
        required=False,
        max_length=255,
        label="User",
        help_text="Public key or name, where the text names nobody.",
        widget=forms.TextInput(attrs=_CODE),
    )

    def clean_text(self) -> str:
        """Something else than blanks."""
        text: str = self.cleaned_data["text"]
        if not text.strip():
            raise forms.ValidationError("Paste a line of a log, or an error.")
        return text

    def clean(self) -> dict[str, Any]:
        """Whose it is is a key or a name, without blanks around it."""
        cleaned = super().clean()
        if "user" in cleaned:
            cleaned["user"] = cleaned["user"].strip()
        return cleaned
