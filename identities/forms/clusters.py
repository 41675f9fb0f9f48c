"""Forms over clusters, and over the system user of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django import forms

from identities.forms.base import EditForm, Group
from identities.forms.certificates import LARGEST, CertificatesForm, SecretTextarea, holds_key
from identities.forms.fields import ListField, MomentField, NameField, TextField
from identities.models import Cluster
from identities.nkeys import SecretBytes
from identities.resolver.drafts import LONGEST, SHORTEST, ClusterDraft

_PEM = {"rows": 4, "spellcheck": "false", "autocomplete": "off", "class": "mono"}


def _seconds(label: str, help_text: str) -> forms.FloatField:
    return forms.FloatField(
        label=label,
        help_text=help_text,
        min_value=SHORTEST,
        max_value=LONGEST,
        widget=forms.TextInput(attrs={"class": "number", "inputmode": "decimal", "autocomplete": "off"}),
    )


class ClusterForm(CertificatesForm, EditForm):
    """How a cluster is reached. Times are in seconds."""

    certificates: ClassVar[tuple[str, ...]] = ("ca_pem", "client_cert")

    words: ClassVar[Mapping[str, str]] = {"tls_first": "handshake_first", "client_cert": "verify"}
    jwts: ClassVar[tuple[str, ...]] = ("ca_pem", "client_cert", "client_key")
    groups: ClassVar[tuple[Group, ...]] = (
        Group(legend="Cluster", names=("name", "urls")),
        Group(legend="TLS", names=("ca_pem", "tls_first", "client_cert", "client_key"), advanced=True),
        Group(legend="How long to wait", names=("connect_seconds", "request_seconds")),
        Group(legend="System user", names=("expires",)),
    )

    name = NameField(label="Name", help_text="For people: production, eu-west …")
    urls = ListField(
        required=True,
        label="Server addresses",
        error_messages={"required": "Give at least one server address."},
        help_text="One a line, such as nats://nats.example.com:4222 or tls://…, ws://…, wss://…. They are tried in "
        "this order; all servers of the cluster answer over the one that lets us in. Addresses that servers offer "
        "themselves are not followed.",
    )
    ca_pem = TextField(
        label="CA certificate",
        max_length=LARGEST,
        help_text="In PEM form, when the servers' certificate is not signed by a public authority.",
        widget=forms.Textarea(attrs=_PEM),
    )
    tls_first = forms.BooleanField(
        required=False,
        label="TLS first",
        help_text="Servers that speak TLS before anything else. Only with tls:// addresses.",
    )
    client_cert = TextField(
        label="Client certificate",
        max_length=LARGEST,
        help_text="In PEM form, when the servers ask for one. Empty: none is shown, and its key is thrown away.",
        widget=forms.Textarea(attrs=_PEM),
    )
    client_key = TextField(
        label="Private key of the client certificate",
        max_length=LARGEST,
        widget=SecretTextarea(attrs=_PEM),
    )
    connect_seconds = _seconds("Connecting (seconds)", "How long one address may take to let us in.")
    request_seconds = _seconds("Answers (seconds)", "How long to wait for what the servers answer.")

    def __init__(self, *args: Any, has_key: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["client_key"].help_text = (
            "A key is sealed here and not shown again. Empty: it stays. Another one takes its place."
            if has_key
            else "In PEM form, without a password. It is sealed, and not shown again."
        )

    def clean(self) -> dict[str, Any]:
        """A key where the key goes."""
        key = self.cleaned_data.get("client_key", "")
        if key and not holds_key(key):
            self.add_error("client_key", "That is no private key in PEM form (-----BEGIN PRIVATE KEY-----).")
        return super().clean()

    def to_draft(self) -> ClusterDraft:
        """What was filled in."""
        typed = self.cleaned_data
        key = typed["client_key"]
        return ClusterDraft(
            name=typed["name"],
            urls=tuple(typed["urls"]),
            ca_pem=typed["ca_pem"],
            client_cert=typed["client_cert"],
            client_key=SecretBytes(key.encode()) if key else None,
            tls_first=typed["tls_first"],
            connect_seconds=typed["connect_seconds"],
            request_seconds=typed["request_seconds"],
        )

    @staticmethod
    def values_of(cluster: Cluster) -> dict[str, Any]:
        """What the form shows of a cluster; never its key."""
        return {
            "name": cluster.name,
            "urls": tuple(cluster.urls.split()),
            "ca_pem": cluster.ca_pem,
            "tls_first": cluster.tls_first,
            "client_cert": cluster.client_cert,
            "connect_seconds": cluster.connect_seconds,
            "request_seconds": cluster.request_seconds,
        }


class NewClusterForm(ClusterForm):
    """The same for a new cluster, with the expiry of the system user that is made for it."""

    paths: ClassVar[Mapping[str, str]] = {"exp": "expires"}

    expires = MomentField(
        label="Its system user expires",
        help_text="A date, or a span such as 1y. Empty: never. It can be renewed on the cluster's page.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        del self.fields["version"]


class RenewForm(EditForm):
    """When a system user expires that is made or renewed."""

    paths: ClassVar[Mapping[str, str]] = {"exp": "expires"}

    expires = MomentField(label="Expires", help_text="A date, or a span such as 1y. Empty: never.")

    def to_expires(self) -> int:
        """Unix seconds, 0 for never."""
        return int(self.cleaned_data["expires"])


class ChooseUserForm(EditForm):
    """Which user of the system account a cluster is logged in to as."""

    user = forms.ChoiceField(label="System user", widget=forms.RadioSelect)

    def __init__(self, *args: Any, choices: Sequence[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["user"].choices = list(choices)  # type: ignore[attr-defined]  # a ChoiceField
