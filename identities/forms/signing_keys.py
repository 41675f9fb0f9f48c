"""Forms over signing keys of an account: a plain one, and a role with the template that its users get."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django import forms

from identities.claims import codec, trust
from identities.claims.drafts import RoleDraft, SigningKeyDraft
from identities.claims.permissions import UserPermissionLimits
from identities.claims.scopes import SigningKey
from identities.forms.base import EditForm
from identities.forms.fields import NameField, PublicKeyField, TagsField, TextField
from identities.forms.user_rights import UNLIMITED, UserFields, rights_of
from identities.models import Account
from identities.nkeys import KeyKind

OWN_KEY_HELP = (
    "An account key (A…) whose seed stays elsewhere: what it signs is valid, but nothing can be signed with it here. "
    "Empty: a new key is made and its seed sealed here."
)
_PLACE = re.compile(r"nats\.signing_keys\[(\d+)\]")
_TEMPLATE = "nats.signing_keys.template"
_VARIABLES = " Variables such as {{name()}} are explained below."
_BEARER_HELP = (
    "The JWT of its users alone logs in, no seed is asked for. Only for a role that has issued nobody yet."
)
_PROXY_HELP = "nats-server does not enforce this in a role: it reads it in a user's own JWT only."


class SigningKeyForm(EditForm):
    """A new plain signing key."""

    paths: ClassVar[Mapping[str, str]] = {"nats.signing_keys": "public_key"}

    public_key = PublicKeyField(kind=KeyKind.ACCOUNT, label="Public key", help_text=OWN_KEY_HELP)

    def to_draft(self) -> SigningKeyDraft:
        """What was filled in."""
        return SigningKeyDraft(public_key=self.cleaned_data["public_key"])


class RoleForm(EditForm, UserFields):
    """A role, new or not. `key` is its public key, "" for a new one; `users` are names to choose a sample from.

    The `sample_` fields are no claims: they say for whom the template is filled in on the page.
    """

    shows: ClassVar[str] = "#role-becomes"
    is_role: ClassVar[bool] = True
    paths: ClassVar[Mapping[str, str]] = {
        "nats.signing_keys": "public_key",
        "nats.signing_keys.key": "public_key",
        "nats.signing_keys.role": "role",
        "nats.signing_keys.description": "description",
        **{
            _TEMPLATE + path.removeprefix("nats"): field
            for path, field in UserFields.paths.items()
            if path.startswith("nats.") and field != "tags"
        },
    }
    words: ClassVar[Mapping[str, str]] = {**UserFields.words, "role": "role", "description": "description"}

    field_order = ("role", "description")
    name = tags = expires = not_before = None  # type: ignore[assignment]  # Django: takes the field off
    role = NameField(
        required=False,
        label="Name",
        help_text="What people and nsc's -K call it; unique in the account.",
    )
    description = TextField(label="Description", rows=2)
    public_key = PublicKeyField(kind=KeyKind.ACCOUNT, label="Public key", help_text=OWN_KEY_HELP)
    sample_user = forms.CharField(
        required=False, max_length=300, label="A user of the account", help_text="Its name or public key."
    )
    sample_name = forms.CharField(required=False, max_length=255, strip=False, label="Or any name")
    sample_tags = TagsField(label="with these tags", rows=2, help_text="One to a line, such as team:blue.")

    def __init__(
        self, *args: Any, account: Account, key: str = "", users: Sequence[str] = (), **kwargs: Any
    ) -> None:
        held = {**self.values_of(account, key), "version": account.version}
        sample = (
            {"sample_user": users[0]} if users else {"sample_name": "alice", "sample_tags": ("team:blue",)}
        )
        kwargs.setdefault("initial", {**held, **sample})
        super().__init__(*args, **kwargs)
        self.key, self.users = key, users
        entries = codec.from_payload(account.claims).nats.signing_keys
        keys = [entry.key for entry in entries]
        self.place = keys.index(key) if key in keys else len(keys)
        self.held = trust.signing_key(codec.from_payload(account.claims).nats, key)
        if key:
            del self.fields["public_key"]
        self.fields["sample_user"].widget.attrs.update({"list": "role-users", "autocomplete": "off"})
        for name in ("pub_allow", "pub_deny", "sub_allow", "sub_deny"):
            self.fields[name].help_text += _VARIABLES
        self.fields["bearer_token"].help_text = _BEARER_HELP
        self.fields["proxy_required"].help_text = _PROXY_HELP

    @staticmethod
    def values_of(account: Account, key: str) -> dict[str, Any]:
        """The role's values by field; those of a new one when the account has no such role."""
        entry: SigningKey | None = trust.signing_key(codec.from_payload(account.claims).nats, key)
        if entry is None:
            return rights_of(UNLIMITED)
        return {
            "role": entry.role,
            "description": entry.description,
            **rights_of(entry.template or UNLIMITED),
        }

    @property
    def template(self) -> UserPermissionLimits:
        """What the role gives as it stands; a new one starts as nsc starts a user."""
        held = self.held.template if self.held is not None else None
        return held or UNLIMITED

    def field_of(self, path: str) -> str:
        """The field of a JSON path; what is found on other signing keys is no field's here."""
        found = _PLACE.match(path)
        if found is not None and int(found[1]) != self.place:
            return ""
        return super().field_of(path)

    def to_role(self) -> RoleDraft:
        """What was filled in, over what this form does not know."""
        typed = self.cleaned_data
        return RoleDraft(
            role=typed["role"],
            description=typed["description"],
            template=self.to_limits(self.template),
        )

    def to_draft(self) -> SigningKeyDraft:
        """A new role as it was filled in."""
        return SigningKeyDraft(public_key=self.cleaned_data["public_key"], role=self.to_role())
