"""Forms over accounts: what they are called. Their limits: `limits`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from identities.claims.drafts import AccountDraft, AccountEdit
from identities.forms.base import BaseForm, EditForm, Group
from identities.forms.fields import MomentField, NameField, PublicKeyField, TagsField, TextField
from identities.forms.operators import EXPIRY_HELP, START_HELP, TAGS_HELP
from identities.models import Account
from identities.nkeys import KeyKind


class _AccountFields(BaseForm):
    paths: ClassVar[Mapping[str, str]] = {
        "name": "name",
        "exp": "expires",
        "nbf": "not_before",
        "sub": "public_key",
        "nats.description": "description",
        "nats.info_url": "info_url",
        "nats.tags": "tags",
    }
    words: ClassVar[Mapping[str, str]] = {
        "description": "description",
        "info_url": "info_url",
        "expires": "exp",
        "not_before": "nbf",
    }

    remedies: ClassVar[Mapping[str, str]] = {"info_url": "Write an address such as https://example.com."}

    name = NameField(label="Name", help_text="Unique under the operator, ignoring case, as in nsc.")
    description = TextField(label="Description", rows=3, help_text="For people.")
    info_url = TextField(label="Info URL", max_length=8192, help_text="Where to read more, https://…")
    tags = TagsField(
        label="Tags",
        rows=2,
        help_text=f"{TAGS_HELP} Roles read them with {{{{account-tag(key)}}}}.",
    )
    expires = MomentField(label="Expires", help_text=EXPIRY_HELP)
    not_before = MomentField(label="Not before", help_text=START_HELP)


class AccountCreateForm(_AccountFields):
    """A new account, as `nsc add account`."""

    groups: ClassVar[tuple[Group, ...]] = (
        Group(legend="Account", names=("name", "description", "info_url")),
        Group(legend="Own key", names=("public_key",), advanced=True),
        Group(legend="Tags and times", names=("tags", "expires", "not_before"), advanced=True),
    )

    public_key = PublicKeyField(
        kind=KeyKind.ACCOUNT,
        label="Own public key",
        help_text="An account key (A…) whose seed stays elsewhere. Empty: a new key is made and its seed sealed here.",
    )

    def to_draft(self) -> AccountDraft:
        """What was filled in."""
        return AccountDraft(**self.cleaned_data)


class AccountEditForm(EditForm, _AccountFields):
    """Name, texts, tags and times of an account."""

    groups: ClassVar[tuple[Group, ...]] = (
        Group(legend="Account", names=("name", "description", "info_url")),
        Group(legend="Tags and times", names=("tags", "expires", "not_before")),
    )

    def leave_times(self, why: str) -> None:
        """Show when it expires and starts, to somebody who may not change it; `why` says who may."""
        for name in ("expires", "not_before"):
            self.fields[name].disabled = True
            self.fields[name].help_text = why

    @staticmethod
    def values_of(account: Account) -> dict[str, Any]:
        """The account's values by field."""
        claims = account.document()
        return {
            "name": claims.name,
            "description": claims.nats.description,
            "info_url": claims.nats.info_url,
            "tags": claims.nats.tags,
            "expires": claims.exp,
            "not_before": claims.nbf,
        }

    def to_edit(self) -> AccountEdit:
        """What was filled in."""
        return AccountEdit(**{name: value for name, value in self.cleaned_data.items() if name != "version"})
