"""Forms over users: create, edit, delete, and who signs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django import forms

from identities.claims import codec
from identities.claims.drafts import UserDraft, UserEdit
from identities.claims.permissions import UserPermissionLimits
from identities.forms.base import ConfirmForm, EditForm
from identities.forms.fields import PublicKeyField
from identities.forms.user_fields import range_text
from identities.forms.user_rights import INBOX, UNLIMITED, UserFields
from identities.models import Mode, User
from identities.nkeys import KeyKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """A key that may sign users of an account; `role` marks one whose template alone says what they may do."""

    key: str
    label: str
    role: bool = False


class UserCreateForm(UserFields):
    """A new user, with the options of `nsc add user`."""

    public_key = PublicKeyField(
        kind=KeyKind.USER,
        label="Own public key",
        help_text="A user key (U…) whose seed stays elsewhere: no creds can be handed out here, only the JWT. "
        "Empty: a new key is made and its seed sealed here.",
    )
    signer = forms.ChoiceField(
        required=False,
        label="Signed by",
        help_text="A role decides alone what its users may do: leave permissions and limits as they are then.",
    )

    def __init__(self, *args: Any, signers: Sequence[Signer] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.signers = {signer.key: signer for signer in signers}
        choices = [("", "the account's first plain key"), *((one.key, one.label) for one in signers)]
        self.fields["signer"].choices = choices  # type: ignore[attr-defined]

    def to_draft(self) -> UserDraft:
        """What was filled in. Under a role untouched limits are none at all."""
        typed = self.cleaned_data
        limits: UserPermissionLimits | None = self.to_limits(UNLIMITED)
        chosen = self.signers.get(typed["signer"])
        if chosen is not None and chosen.role and limits == UNLIMITED:
            limits = None
        return UserDraft(
            name=typed["name"],
            public_key=typed["public_key"],
            limits=limits,
            tags=typed["tags"],
            expires=typed["expires"],
            not_before=typed["not_before"],
            signer=typed["signer"],
        )


class UserEditForm(EditForm, UserFields):
    """Everything about a user that can be edited; of one that a role issued only name, tags and times."""

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        kwargs.setdefault("initial", {**self.values_of(user), "version": user.version})
        super().__init__(*args, **kwargs)
        self.user = user
        self.by_role = user.pub_mode == Mode.ROLE
        if self.by_role:
            for name in [name for name in self.fields if name not in _NOT_THE_ROLES]:
                del self.fields[name]

    @staticmethod
    def values_of(user: User) -> dict[str, Any]:
        """The user's values by field."""
        claims = codec.from_payload(user.claims)
        limits: UserPermissionLimits = claims.nats.limits
        resp = limits.resp
        return {
            "name": claims.name,
            "pub_allow": limits.pub.allow,
            "pub_deny": limits.pub.deny,
            "sub_allow": limits.sub.allow,
            "sub_deny": limits.sub.deny,
            "can_request": INBOX in limits.sub.allow,
            "can_answer": resp is not None,
            "resp_max": resp.max if resp else 1,
            "resp_ttl": resp.ttl if resp else 0,
            "subs": limits.subs,
            "data": limits.data,
            "payload": limits.payload,
            "src": limits.src,
            "times": tuple(range_text(held) for held in limits.times),
            "times_location": limits.times_location,
            "connection_types": limits.allowed_connection_types,
            "bearer_token": limits.bearer_token,
            "proxy_required": limits.proxy_required,
            "tags": claims.nats.tags,
            "expires": claims.exp,
            "not_before": claims.nbf,
        }

    def to_edit(self) -> UserEdit:
        """What was filled in."""
        typed = self.cleaned_data
        return UserEdit(
            name=typed["name"],
            limits=None if self.by_role else self.to_limits(codec.from_payload(self.user.claims).nats.limits),
            tags=typed["tags"],
            expires=typed["expires"],
            not_before=typed["not_before"],
        )


class UserDeleteForm(ConfirmForm):
    """Deleting a user: its key is revoked unless that is unticked."""

    revoke = forms.BooleanField(
        required=False,
        initial=True,
        label="Revoke the user, so that creds already handed out stop working",
        help_text="Unticked, they go on working until they expire.",
    )


_NOT_THE_ROLES = frozenset({"name", "tags", "expires", "not_before", "version"})
