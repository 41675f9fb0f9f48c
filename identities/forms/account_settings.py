"""Forms over what an account says for all its users: default permissions, message tracing, cluster traffic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from django import forms

from identities.claims import codec
from identities.claims.account import MsgTrace
from identities.claims.permissions import Permissions
from identities.forms.base import EditForm
from identities.forms.fields import TextField
from identities.forms.user_rights import INBOX, UserFields
from identities.models import Account

RULES = (
    "pub_allow",
    "sub_allow",
    "pub_deny",
    "sub_deny",
    "can_request",
    "can_answer",
    "resp_max",
    "resp_ttl",
)
"""The fields of a user that default permissions have too."""
LARGEST = 2**63 - 1


class DefaultPermissionsForm(EditForm, UserFields):
    """What users may do that have no permissions of their own: a user's rules, without all else."""

    paths: ClassVar[Mapping[str, str]] = {
        path.replace("nats.", "nats.default_permissions.", 1): name
        for path, name in UserFields.paths.items()
        if name in RULES
    }

    def __init__(self, *args: Any, account: Account, **kwargs: Any) -> None:
        kwargs.setdefault("initial", {**self.values_of(account), "version": account.version})
        super().__init__(*args, **kwargs)
        for name in [name for name in self.fields if name not in (*RULES, "version")]:
            del self.fields[name]

    @staticmethod
    def values_of(account: Account) -> dict[str, Any]:
        """The account's default permissions by field."""
        held: Permissions = codec.from_payload(account.claims).nats.default_permissions
        return {
            "pub_allow": held.pub.allow,
            "pub_deny": held.pub.deny,
            "sub_allow": held.sub.allow,
            "sub_deny": held.sub.deny,
            "can_request": INBOX in held.sub.allow,
            "can_answer": held.resp is not None,
            "resp_max": held.resp.max if held.resp else 1,
            "resp_ttl": held.resp.ttl if held.resp else 0,
        }

    def to_permissions(self, before: Permissions) -> Permissions:
        """What was filled in, over what this form does not know."""
        typed = self.cleaned_data
        return replace(
            before,
            pub=replace(before.pub, allow=typed["pub_allow"], deny=typed["pub_deny"]),
            sub=replace(before.sub, allow=self._sub_allow(before.sub), deny=typed["sub_deny"]),
            resp=self._resp(before.resp),
        )


class TracingForm(EditForm):
    """Where messages that carry a trace context are reported to."""

    paths: ClassVar[Mapping[str, str]] = {
        "nats.trace": "dest",
        "nats.trace.dest": "dest",
        "nats.trace.sampling": "sampling",
    }
    words: ClassVar[Mapping[str, str]] = {"dest": "trace.dest", "sampling": "trace.sampling"}

    dest = TextField(
        max_length=2048,
        label="Destination",
        help_text="The subject of this account on which servers report the way of a message that carries a "
        "traceparent header. Empty: not set, nothing is traced.",
    )
    sampling = forms.IntegerField(
        required=False,
        min_value=-LARGEST,
        max_value=LARGEST,
        label="Sampling in %",
        help_text="How many of these messages are traced, 1 to 100. Empty: not set, which is all of them.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["dest"].widget.attrs.update(
            {"class": "mono", "spellcheck": "false", "autocomplete": "off"}
        )
        self.fields["sampling"].widget.attrs.update({"class": "number", "placeholder": "100"})

    @staticmethod
    def values_of(account: Account) -> dict[str, Any]:
        """The account's tracing by field."""
        held: MsgTrace = codec.from_payload(account.claims).nats.trace or MsgTrace()
        return {"dest": held.dest, "sampling": held.sampling or None}

    def clean(self) -> dict[str, Any]:
        """Refuse sampling without a destination, and a 0, which would trace everything."""
        cleaned = super().clean()
        if cleaned.get("sampling") == 0 and "sampling" in self.changed_data:
            self.add_error("sampling", "0 counts as 100. To trace nothing, clear the destination.")
        elif cleaned.get("sampling") and not cleaned.get("dest") and self.changed_data:
            self.add_error("dest", "Give the subject that traces are sent to, or clear the sampling.")
        return cleaned

    def to_trace(self, before: MsgTrace | None) -> MsgTrace | None:
        """What was filled in, over what this form does not know; None where there is no destination."""
        dest, sampling = self.cleaned_data["dest"], self.cleaned_data["sampling"] or 0
        if before is not None and (dest, sampling) == (before.dest, before.sampling):
            return before
        return replace(before or MsgTrace(), dest=dest, sampling=sampling) if dest else None


class ClusterTrafficForm(EditForm):
    """In which account the replicas of the account's streams talk to one another."""

    paths: ClassVar[Mapping[str, str]] = {"nats.cluster_traffic": "traffic"}
    words: ClassVar[Mapping[str, str]] = {"traffic": "cluster_traffic"}

    traffic = forms.ChoiceField(
        required=False,
        label="Replication travels in",
        widget=forms.RadioSelect,
        choices=(
            ("", "not set: the system account"),
            ("system", "system: the system account"),
            ("owner", "owner: this account itself"),
        ),
        help_text="JetStream's replicas keep each other up to date over connections between servers. In its own "
        "account a busy one does not hold up the others (nats-server 2.11 and later; routes may be pinned to it).",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        held = self.initial.get("traffic") or ""
        field = self.fields["traffic"]
        known = field.choices  # type: ignore[attr-defined]  # a ChoiceField
        if held not in dict(known):
            field.choices = [*known, (held, f"{held}: no word that servers know")]  # type: ignore[attr-defined]

    @staticmethod
    def values_of(account: Account) -> dict[str, Any]:
        """The account's cluster traffic by field."""
        return {"traffic": codec.from_payload(account.claims).nats.cluster_traffic}
