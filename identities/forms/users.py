"""Forms over users: create, edit, delete, and who signs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from django import forms

from identities.claims import codec
from identities.claims.drafts import UserDraft, UserEdit
from identities.claims.permissions import UserPermissionLimits
from identities.forms.base import ConfirmForm, EditForm
from identities.forms.fields import PublicKeyField
from identities.forms.user_rights import UNLIMITED, UserFields, rights_of
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
        claims = user.document()
        return {
            "name": claims.name,
            **rights_of(claims.nats.limits),
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


class UserMoveForm(EditForm):
    """Which key issues a user from now on. `by_role`: one issues it now, so it has no rights of its own yet."""

    paths: ClassVar[Mapping[str, str]] = {"iss": "signer"}
    words: ClassVar[Mapping[str, str]] = {"signer": "iss"}

    signer = forms.ChoiceField(
        label="Move it to",
        help_text="Under a role the role's template alone says what the user may do; under a plain key or the identity "
        "key, permissions and limits of its own.",
    )
    start = forms.ChoiceField(
        required=False,
        widget=forms.RadioSelect,
        label="Under a plain key it starts with",
        choices=[
            ("template", "a copy of what its role gives it now, all variables filled in"),
            ("unlimited", "no permissions and no limits of its own, as nsc starts a user"),
        ],
        help_text="Means nothing when you choose a role.",
    )
    revoke = forms.BooleanField(
        required=False,
        label="Revoke the JWT that it has now",
        help_text="Creds handed out so far stop working. Unticked, they go on working with the rights they give, until "
        "they expire or are revoked.",
    )

    def __init__(self, *args: Any, signers: Sequence[Signer], by_role: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [("", "choose a key"), *((one.key, one.label) for one in signers)]
        self.fields["signer"].choices = choices  # type: ignore[attr-defined]
        if not by_role:
            del self.fields["start"]


class UserRotateForm(EditForm):
    """A new key for a user; `own`: its seed is not here, so the new key is brought as well."""

    paths: ClassVar[Mapping[str, str]] = {"sub": "public_key"}
    words: ClassVar[Mapping[str, str]] = {"public_key": "sub"}

    public_key = PublicKeyField(
        kind=KeyKind.USER,
        label="New public key",
        help_text="A user key (U…) whose seed stays elsewhere. Empty: a new key is made and its seed sealed here.",
    )

    def __init__(self, *args: Any, own: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if own:
            self.fields["public_key"].required = True
            self.fields[
                "public_key"
            ].help_text = (
                "A user key (U…), made where the old one was: the seed of this user never came here."
            )


class UserDeleteForm(ConfirmForm):
    """Deleting a user: its key is revoked unless that is unticked. A suspended one always is."""

    revoke = forms.BooleanField(
        required=False,
        initial=True,
        label="Revoke the user, so that creds already handed out stop working",
        help_text="Unticked, they go on working until they expire.",
    )

    def __init__(self, *args: Any, suspended: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if suspended:
            del self.fields["revoke"]

    @property
    def revokes(self) -> bool:
        """Whether the user's key is to be revoked."""
        return bool(self.cleaned_data.get("revoke", True))


_NOT_THE_ROLES = frozenset({"name", "tags", "expires", "not_before", "version"})
