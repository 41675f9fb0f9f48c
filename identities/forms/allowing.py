"""What a user should be able to do, from which the subjects follow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms

from identities.claims.explain_types import INBOX
from identities.claims.recipes import Line, Task, Wish
from identities.forms.base import EditForm, Group

_CODE = {"spellcheck": "false", "autocomplete": "off", "class": "mono"}
TASKS = [
    ("Requests", [(Task.REQUEST.value, "make requests"), (Task.ANSWER.value, "answer requests")]),
    (
        "Streams",
        [
            (Task.STREAM_PUBLISH.value, "publish to a stream"),
            (Task.STREAM_CONSUME.value, "consume with a consumer that is there"),
            (Task.STREAM_CONSUMERS.value, "make consumers of a stream, and consume with them"),
            (Task.STREAM_MANAGE.value, "manage a stream"),
        ],
    ),
    (
        "Key-value buckets",
        [
            (Task.KV_READ.value, "read and watch a bucket"),
            (Task.KV_WRITE.value, "write to a bucket"),
            (Task.KV_MANAGE.value, "make and delete a bucket"),
        ],
    ),
    (
        "Object stores",
        [
            (Task.OBJECT_READ.value, "read objects"),
            (Task.OBJECT_WRITE.value, "write objects"),
            (Task.OBJECT_MANAGE.value, "make and delete a store"),
        ],
    ),
]


class AllowForm(EditForm):
    """A task, and what it is about. `lines` are the subjects that follow, once they are known."""

    paths: ClassVar[Mapping[str, str]] = {
        "nats.pub": "subject",
        "nats.sub": "subject",
        "nats.resp": "task",
    }

    groups: ClassVar[tuple[Group, ...]] = (
        Group(legend="Task", names=("task", "subject", "name", "consumer")),
        Group(legend="Queue group, inbox, direct reads", names=("queue", "inbox", "indirect"), advanced=True),
    )
    live: ClassVar[str] = "identities/explain/allow_lines.html"

    task = forms.ChoiceField(label="What it should do", choices=TASKS)
    subject = forms.CharField(
        required=False,
        max_length=2048,
        label="Subject",
        help_text="Of the service, or of the stream that is published to, such as orders.new or orders.>",
        widget=forms.TextInput(attrs=_CODE),
    )
    name = forms.CharField(
        required=False,
        max_length=255,
        label="Name of the stream, bucket or store",
        help_text="As it was created, such as ORDERS.",
        widget=forms.TextInput(attrs=_CODE),
    )
    consumer = forms.CharField(
        required=False,
        max_length=255,
        label="Consumer",
        help_text="The durable name of the consumer that is used.",
        widget=forms.TextInput(attrs=_CODE),
    )
    queue = forms.CharField(
        required=False,
        max_length=255,
        label="Queue group",
        help_text="Of a service whose instances share the requests. Empty: none.",
        widget=forms.TextInput(attrs=_CODE),
    )
    indirect = forms.BooleanField(
        required=False,
        label="The bucket or store does not answer directly",
        help_text="nats-py makes them so unless it is told otherwise; nats.go and the nats command set allow_direct.",
    )
    inbox = forms.CharField(
        required=False,
        max_length=255,
        label="Inbox prefix",
        help_text=f"Of a client that sets one. Empty: {INBOX}.",
        widget=forms.TextInput(attrs=_CODE),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lines: tuple[Line, ...] = ()

    def to_wish(self) -> Wish:
        """What was filled in."""
        typed = self.cleaned_data
        return Wish(
            task=Task(typed["task"]),
            subject=typed["subject"],
            name=typed["name"],
            consumer=typed["consumer"],
            queue=typed["queue"],
            direct=not typed["indirect"],
            inbox=typed["inbox"] or INBOX,
        )
