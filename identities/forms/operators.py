"""Forms over operators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms

from identities.claims.drafts import OperatorDraft, OperatorEdit
from identities.forms.base import BaseForm, EditForm, Group
from identities.forms.fields import MomentField, NameField, TagsField, TextField, UrlsField
from identities.models import Operator

EXPIRY_HELP = "2027-06-30, 2027-06-30 12:00:00 UTC, or from now: 12h, 30d, 2w, 6M, 1y. Empty: never expires."
START_HELP = "The JWT is not valid before. Same forms as the expiry. Empty: valid at once."
TAGS_HELP = "One to a line, for example env:prod. Written in lower case, as nsc does."


class _OperatorFields(BaseForm):
    paths: ClassVar[Mapping[str, str]] = {
        "name": "name",
        "exp": "expires",
        "nbf": "not_before",
        "nats.account_server_url": "account_server_url",
        "nats.operator_service_urls": "service_urls",
        "nats.strict_signing_key_usage": "require_signing_keys",
        "nats.assert_server_version": "assert_server_version",
        "nats.tags": "tags",
    }

    words: ClassVar[Mapping[str, str]] = {
        "account_server_url": "account_server_url",
        "service_urls": "operator_service_urls",
        "require_signing_keys": "strict_signing_key_usage",
        "assert_server_version": "assert_server_version",
        "expires": "exp",
        "not_before": "nbf",
    }

    remedies: ClassVar[Mapping[str, str]] = {
        "account_server_url": "Write nats://host:4222, or https://host/jwt/v1, or nothing.",
        "service_urls": "Write addresses such as nats://host:4222 or tls://host:4222.",
        "assert_server_version": "Write a version such as 2.10.0, or nothing.",
    }

    name = NameField(label="Name", help_text="Shown in the JWT and used for file names, as by nsc.")
    account_server_url = TextField(
        label="Account server URL",
        max_length=2048,
        help_text="Where account JWTs are published: nats://… for a NATS resolver, or "
        "http(s)://…/jwt/v1 for an account server. Empty for a MEMORY resolver.",
    )
    service_urls = UrlsField(
        label="Service URLs",
        help_text="Where clients connect, one to a line: nats://…, tls://…, ws://…, wss://…",
    )
    require_signing_keys = forms.BooleanField(
        required=False,
        label="Require signing keys",
        help_text="Servers refuse accounts and users signed by an identity key.",
    )
    tags = TagsField(label="Tags", rows=2, help_text=TAGS_HELP)
    expires = MomentField(label="Expires", help_text=EXPIRY_HELP)
    not_before = MomentField(label="Not before", help_text=START_HELP)


class OperatorCreateForm(_OperatorFields):
    """A new operator, with the options of `nsc add operator`."""

    generate_signing_key = forms.BooleanField(
        required=False,
        initial=True,
        label="Generate a signing key",
        help_text="A second key that signs accounts, so that the identity key can stay locked away.",
    )
    system_account = forms.BooleanField(
        required=False,
        initial=True,
        label="Create a system account (SYS) and its user",
        help_text="Servers publish their events in it, and account JWTs are pushed through it.",
    )
    groups: ClassVar[tuple[Group, ...]] = (
        Group(
            legend="Operator",
            names=("name", "generate_signing_key", "system_account", "require_signing_keys"),
        ),
        Group(legend="Servers", names=("account_server_url", "service_urls")),
        Group(legend="Tags and times", names=("tags", "expires", "not_before"), advanced=True),
    )

    def to_draft(self) -> OperatorDraft:
        """What was filled in."""
        return OperatorDraft(**self.cleaned_data)


class OperatorEditForm(EditForm, _OperatorFields):
    """Everything about an operator that can be edited; renaming it re-signs nothing but its own JWT."""

    groups: ClassVar[tuple[Group, ...]] = (
        Group(legend="Operator", names=("name", "require_signing_keys")),
        Group(legend="Servers", names=("account_server_url", "service_urls", "assert_server_version")),
        Group(legend="Tags and times", names=("tags", "expires", "not_before"), advanced=True),
    )

    assert_server_version = TextField(
        max_length=100,
        label="Asserted server version",
        help_text="The oldest nats-server that may run with this operator, such as 2.10.0: older ones do not start. "
        "Empty: not set, any.",
    )

    @staticmethod
    def values_of(operator: Operator) -> dict[str, Any]:
        """The operator's values by field."""
        claims = operator.document()
        return {
            "name": claims.name,
            "account_server_url": claims.nats.account_server_url,
            "service_urls": claims.nats.operator_service_urls,
            "require_signing_keys": claims.nats.strict_signing_key_usage,
            "assert_server_version": claims.nats.assert_server_version,
            "tags": claims.nats.tags,
            "expires": claims.exp,
            "not_before": claims.nbf,
        }

    def to_edit(self) -> OperatorEdit:
        """What was filled in."""
        return OperatorEdit(**{name: value for name, value in self.cleaned_data.items() if name != "version"})
