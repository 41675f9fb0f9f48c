"""The form of a client test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django import forms

from identities.forms.certificates import CertificatesForm
from identities.forms.fields import TextField
from identities.resolver.plan import LARGEST_KEPT, MOST_MESSAGES, MOST_SECONDS

TRIALS = (
    ("publish", "Publish"),
    ("subscribe", "Subscribe"),
    ("request", "Request, and wait for an answer"),
    ("reply", "Answer requests"),
    ("rtt", "Measure the round trip"),
    ("subscribe-publish", "Subscribe here while another user publishes"),
    ("reply-request", "Answer here while another user requests"),
)
"""Values of `services.client_tests.Trial`, in words."""


class ClientTestForm(CertificatesForm):
    """What to try as a user on a server. Fields that the chosen trial has no use for are ignored."""

    certificates: ClassVar[tuple[str, ...]] = ("ca_pem",)
    jwts: ClassVar[tuple[str, ...]] = ("ca_pem",)

    trial = forms.ChoiceField(
        label="What to do",
        choices=TRIALS,
        initial="publish",
        widget=forms.RadioSelect(attrs={"class": "trial"}),
    )
    cluster = forms.TypedChoiceField(
        required=False,
        coerce=int,
        empty_value=None,
        label="Where",
        help_text="A cluster is reached at its own addresses, with its certificates.",
    )
    url = forms.CharField(
        label="Server",
        max_length=2000,
        help_text="nats://host:4222, tls://host:4222, ws://host:port or wss://host:port.",
        widget=forms.TextInput(attrs={"class": "mono", "spellcheck": "false", "autocomplete": "off"}),
    )
    other = forms.CharField(
        required=False,
        max_length=600,
        label="The other user",
        help_text="Publishes or requests, once this user listens. Its name, or account/name for another account of the "
        "operator. Empty: this user itself.",
        widget=forms.TextInput(attrs={"list": "other-users", "spellcheck": "false", "autocomplete": "off"}),
    )
    subject = forms.CharField(
        required=False,
        max_length=2000,
        label="Subject",
        help_text="Such as orders.new. To subscribe or answer, * and > may stand in it.",
        widget=forms.TextInput(attrs={"class": "mono", "spellcheck": "false", "autocomplete": "off"}),
    )
    payload = TextField(
        label="Message",
        rows=3,
        max_length=LARGEST_KEPT,
        help_text="What is published, or asked.",
        strip=False,
    )
    reply = TextField(
        label="Answer",
        rows=2,
        max_length=LARGEST_KEPT,
        help_text="What is answered to a request.",
        strip=False,
    )
    echo = forms.BooleanField(
        required=False, label="Echo", help_text="Answer with what was asked instead of the text above."
    )
    queue = forms.CharField(
        required=False,
        max_length=255,
        label="Queue group",
        help_text="Of those listening in one group, one gets each message.",
    )
    messages = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=MOST_MESSAGES,
        initial=1,
        label="Messages",
        help_text="How many to publish, or to wait for.",
    )
    seconds = forms.FloatField(
        required=False,
        min_value=0.1,
        max_value=MOST_SECONDS,
        initial=5,
        label="Seconds",
        help_text=f"How long to listen, or to wait for an answer; at most {MOST_SECONDS:g}.",
    )
    inbox_prefix = forms.CharField(
        required=False,
        max_length=200,
        label="Custom inbox prefix",
        help_text="Where answers arrive; empty: _INBOX. A user that may subscribe to private.> only would set private.",
    )
    tls_first = forms.BooleanField(
        required=False,
        label="TLS first",
        help_text="For servers with handshake_first, which say nothing before TLS.",
    )
    ca_pem = TextField(
        label="CA certificate",
        rows=4,
        max_length=100_000,
        help_text="PEM, for servers whose certificate is signed by an authority of your own.",
        widget=forms.Textarea(attrs={"rows": 4, "class": "mono", "spellcheck": "false"}),
    )

    def __init__(
        self,
        *args: Any,
        others: Sequence[str] = (),
        clusters: Sequence[tuple[int, str]] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.others, self.clusters = others, clusters
        named = [(str(number), f"cluster {name}") for number, name in clusters]
        self.fields["cluster"].choices = [*named, ("", "another address")]  # type: ignore[attr-defined]
        if not named:
            del self.fields["cluster"]
        elif self.is_bound:
            self.fields["url"].required = not self.data.get("cluster")

    @property
    def more_open(self) -> bool:
        """Whether inbox prefix and TLS are unfolded: one of them is set, or refused."""
        return any(
            self[name].errors or self[name].value() for name in ("inbox_prefix", "tls_first", "ca_pem")
        )

    def to_values(self) -> dict[str, Any]:
        """What was filled in, by the attributes of `services.client_tests.Wish`; `other` apart."""
        typed = {name: value for name, value in self.cleaned_data.items() if name != "other"}
        return {
            **typed,
            "cluster": typed.get("cluster") or 0,
            "messages": typed["messages"] or 1,
            "seconds": typed["seconds"] or 5.0,
            "inbox_prefix": typed["inbox_prefix"] or "_INBOX",
        }
