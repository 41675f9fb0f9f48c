"""The fields of a user: what it may do, from where and when, and how it logs in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from django import forms

from identities.claims.limits import NO_LIMIT
from identities.claims.permissions import (
    CONNECTION_TYPES,
    Permission,
    ResponsePermission,
    TimeRange,
    UserPermissionLimits,
)
from identities.forms.base import BaseForm
from identities.forms.fields import (
    MomentField,
    NameField,
    SubjectsField,
    TagsField,
    WordsField,
)
from identities.forms.operators import EXPIRY_HELP, START_HELP, TAGS_HELP
from identities.forms.user_fields import (
    DurationField,
    LimitField,
    TimesField,
    range_text,
)

INBOX = "_INBOX.>"
SUBJECTS_REMEDY = (
    "Write words joined by dots, such as orders.new, orders.* or orders.>, one subject to a line."
)
_USUAL: tuple[object, ...] = (None, "", False, (), [], NO_LIMIT, "unlimited")
UNLIMITED = UserPermissionLimits.unlimited()


class UserFields(BaseForm):
    """What creating and editing a user have in common."""

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

    remedies: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("pub_allow", "pub_deny", "sub_allow", "sub_deny"), SUBJECTS_REMEDY),
        "src": "Write networks such as 192.0.2.0/24 or 2001:db8::/32.",
        "times": "Write times such as 08:00-18:00, between 00:00 and 23:59:59.",
        "times_location": "Write a name such as Europe/Zurich or UTC.",
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
    data = LimitField(  # type: ignore[assignment]  # a field; Django takes it off the class
        label="Max data", size=True, help_text="Bytes; nats-server does not look at it yet."
    )
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
        help_text="As in Europe/Zurich, America/New_York or UTC. Empty: each server takes its own clock.",
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

    @property
    def limits_open(self) -> bool:
        """Whether the limits are unfolded: one of them is set, or refused."""
        return self._stands_out("subs", "payload", "data")

    @property
    def where_open(self) -> bool:
        """Whether networks, times and connection types are unfolded."""
        return self._stands_out("src", "times", "times_location", "connection_types")

    @property
    def login_open(self) -> bool:
        """Whether bearer, proxy and own key are unfolded."""
        return self._stands_out("bearer_token", "proxy_required", "public_key")

    def _stands_out(self, *names: str) -> bool:
        bound = [self[name] for name in names if name in self.fields]
        return any(field.errors or field.value() not in _USUAL for field in bound)

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


def _range(text: str) -> TimeRange:
    start, _, end = text.partition("-")
    return TimeRange(start=start, end=end)


def rights_of(limits: UserPermissionLimits) -> dict[str, Any]:
    """Permissions and limits by field."""
    resp = limits.resp
    return {
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
    }
