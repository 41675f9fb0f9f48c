"""Forms over users: what they may do, from where and when, how they log in, and who signs them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from django import forms

from identities.claims import codec
from identities.claims.drafts import UserDraft, UserEdit
from identities.claims.permissions import (
    CONNECTION_TYPES,
    Permission,
    ResponsePermission,
    TimeRange,
    UserPermissionLimits,
)
from identities.forms.base import BaseForm, ConfirmForm, EditForm
from identities.forms.fields import (
    MomentField,
    NameField,
    PublicKeyField,
    SubjectsField,
    TagsField,
    WordsField,
)
from identities.forms.operators import EXPIRY_HELP, START_HELP, TAGS_HELP
from identities.forms.user_fields import (
    NO_LIMIT,
    DurationField,
    LimitField,
    TimesField,
    range_text,
)
from identities.models import Mode, User
from identities.nkeys import KeyKind

INBOX = "_INBOX.>"
UNLIMITED = UserPermissionLimits.unlimited()


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """A key that may sign users of an account; `role` marks one whose template alone says what they may do."""

    key: str
    label: str
    role: bool = False


class _UserFields(BaseForm):
    paths: ClassVar[Mapping[str, str]] = {
        "name": "name",
        "exp": "expires",
        "nbf": "not_before",
        "sub": "public_key",
        "nats.tags": "tags",
        "nats.pub.allow": "pub_allow",
        "nats.pub.deny": "pub_deny",
        "nats.sub.allow": "sub_allow",
        "nats.sub.deny": "sub_deny",
        "nats.resp": "can_answer",
        "nats.resp.max": "resp_max",
        "nats.resp.ttl": "resp_ttl",
        "nats.subs": "subs",
        "nats.data": "data",
        "nats.payload": "payload",
        "nats.src": "src",
        "nats.times": "times",
        "nats.times_location": "times_location",
        "nats.bearer_token": "bearer_token",
        "nats.proxy_required": "proxy_required",
        "nats.allowed_connection_types": "connection_types",
    }
    words: ClassVar[Mapping[str, str]] = {
        "pub_allow": "pub.allow",
        "pub_deny": "pub.deny",
        "sub_allow": "sub.allow",
        "sub_deny": "sub.deny",
        "can_answer": "resp",
        "resp_max": "resp.max",
        "resp_ttl": "resp.ttl",
        "subs": "subs",
        "data": "data",
        "payload": "payload",
        "src": "src",
        "times": "times",
        "times_location": "times_location",
        "bearer_token": "bearer_token",
        "proxy_required": "proxy_required",
        "connection_types": "allowed_connection_types",
        "expires": "exp",
        "not_before": "nbf",
        "tags": "tags",
    }

    name = NameField(label="Name", help_text="Unique in the account; case counts.")
    pub_allow = SubjectsField(
        label="May publish to",
        help_text="One subject to a line; * stands for one word, > for the rest. Empty: everywhere.",
    )
    pub_deny = SubjectsField(label="May not publish to", help_text="Wins over what is allowed.")
    sub_allow = SubjectsField(
        label="May subscribe to",
        help_text="One subject to a line, with a queue group after a blank if only in that group. Empty: everywhere.",
    )
    sub_deny = SubjectsField(label="May not subscribe to", help_text="Wins over what is allowed.")
    can_request = forms.BooleanField(
        required=False,
        label="Can make requests",
        help_text=f"Writes {INBOX} into “May subscribe to”: answers to a client's requests arrive there. A user that "
        "may subscribe everywhere needs it not; with it, only what is listed may be subscribed to.",
    )
    can_answer = forms.BooleanField(
        required=False,
        label="Can answer requests",
        help_text="Allows publishing to the reply address of a request that was received, and only as often and as "
        f"long as said here. (The other way is to list {INBOX} under “May publish to”: any number of answers, but "
        "into anybody's inbox.) Without other publish rules the user may then publish answers only.",
    )
    resp_max = LimitField(label="Answers to one request", zero="1", blank=1, help_text="1, or unlimited.")
    resp_ttl = DurationField(
        label="Time to answer", help_text="Such as 5s, 2m, or unlimited. Empty: nats-server's 2 minutes."
    )
    subs = LimitField(label="Max subscriptions", help_text="At one time, for each connection.")
    data = LimitField(label="Max data", size=True, help_text="Bytes; nats-server does not look at it yet.")
    payload = LimitField(
        label="Max message payload", size=True, help_text="Bytes of one message: 64 KiB, 1 MB."
    )
    src = WordsField(
        label="Source networks",
        help_text="CIDR, one to a line: 192.0.2.0/24, 2001:db8::/32. Empty: from anywhere.",
    )
    times = TimesField(
        label="Times of day",
        help_text="Ranges in which it may connect, one to a line: 08:00-18:00. Empty: always.",
    )
    times_location = forms.CharField(
        required=False,
        max_length=100,
        label="Time zone of these times",
        help_text="As in Europe/Zurich or America/New_York. Empty: UTC.",
    )
    connection_types = forms.MultipleChoiceField(
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label="Connection types",
        help_text="None ticked: all of them.",
    )
    bearer_token = forms.BooleanField(
        required=False,
        label="Bearer",
        help_text="The JWT alone logs in, no seed is asked for (MQTT and web clients). Whoever reads the JWT is this "
        "user, so it is guarded here like a seed.",
    )
    proxy_required = forms.BooleanField(
        required=False,
        label="Only through a trusted proxy",
        help_text="nats-server 2.12 and later refuse direct connections.",
    )
    tags = TagsField(label="Tags", rows=2, help_text=f"{TAGS_HELP} Roles read them with {{{{tag(key)}}}}.")
    expires = MomentField(label="Expires", help_text=EXPIRY_HELP)
    not_before = MomentField(label="Not before", help_text=START_HELP)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        held = self.initial.get("connection_types") or ()
        known = [*CONNECTION_TYPES, *(kind for kind in held if kind not in CONNECTION_TYPES)]
        self.fields["connection_types"].choices = [(kind, kind) for kind in known]  # type: ignore[attr-defined]

    def to_limits(self, before: UserPermissionLimits) -> UserPermissionLimits:
        """What was filled in, over what this form does not know."""
        typed = self.cleaned_data
        ranges = {range_text(held): held for held in before.times}
        return replace(
            before,
            pub=replace(before.pub, allow=typed["pub_allow"], deny=typed["pub_deny"]),
            sub=replace(before.sub, allow=self._sub_allow(before.sub), deny=typed["sub_deny"]),
            resp=self._resp(before.resp),
            src=typed["src"],
            times=tuple(ranges.get(text) or _range(text) for text in typed["times"]),
            times_location=typed["times_location"],
            subs=typed["subs"],
            data=typed["data"],
            payload=typed["payload"],
            bearer_token=typed["bearer_token"],
            proxy_required=typed["proxy_required"],
            allowed_connection_types=tuple(typed["connection_types"]),
        )

    def _sub_allow(self, before: Permission) -> tuple[str, ...]:
        """The list, with the switch: where somebody turned it, it wins over the text; else the text stands."""
        typed: tuple[str, ...] = self.cleaned_data["sub_allow"]
        wanted: bool = self.cleaned_data["can_request"]
        if wanted == (INBOX in before.allow):
            return typed
        if wanted:
            return typed if INBOX in typed else (*typed, INBOX)
        return tuple(subject for subject in typed if subject != INBOX)

    def _resp(self, before: ResponsePermission | None) -> ResponsePermission | None:
        if not self.cleaned_data["can_answer"]:
            return None
        return replace(
            before or ResponsePermission(),
            max=self.cleaned_data["resp_max"],
            ttl=self.cleaned_data["resp_ttl"],
        )


class UserCreateForm(_UserFields):
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


class UserEditForm(EditForm, _UserFields):
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
        help_text="Unticked, they go on working until they expire: nobody here can take them back later by this user's "
        "name, only by its key.",
    )


_NOT_THE_ROLES = frozenset({"name", "tags", "expires", "not_before", "version"})


def _range(text: str) -> TimeRange:
    start, _, end = text.partition("-")
    return TimeRange(start=start, end=end)


__all__ = ["INBOX", "NO_LIMIT", "Signer", "UserCreateForm", "UserDeleteForm", "UserEditForm"]
