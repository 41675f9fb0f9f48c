"""Requests for activations: an account asks another one, which it may not even see, for a token of a private export."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from django.db import models
from django.db.models import Exists, OuterRef, Q, QuerySet

from identities.models.accounts import Account
from identities.models.keys import Key, Purpose


class RequestState(StrEnum):
    """What became of a request."""

    OPEN = "open"
    GRANTED = "granted"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"


class ActivationRequestQuerySet(QuerySet["ActivationRequest"]):
    """Requests, narrowed by adjectives."""

    def waiting(self) -> ActivationRequestQuerySet:
        """Those that nobody has answered."""
        return self.filter(state=RequestState.OPEN)

    def asked_by(self, account: Account) -> ActivationRequestQuerySet:
        """Those of an account that wants to import."""
        return self.filter(importer=account)

    def asked_of(self, account: Account) -> ActivationRequestQuerySet:
        """Those to a key that is or was the account's own, by accounts that live.

        Of accounts of several operators with one key, the one under the asking account's operator is meant.
        """
        identities = Key.objects.filter(user=None, kind="account", purpose=Purpose.IDENTITY)
        nearer = identities.filter(
            public_key=OuterRef("exporter_key"),
            operator=OuterRef("importer__operator"),
            account__deleted_at=None,
        ).exclude(account=account)
        return self.filter(
            ~Exists(nearer),
            exporter_key__in=identities.filter(account=account).values("public_key"),
            importer__deleted_at=None,
            importer__operator__deleted_at=None,
        )


class ActivationRequest(models.Model):
    """One request of the account `importer` for a token, and the import that it shall stand in.

    `exporter_key` is what was asked, whether or not an account with that key stands here: the row tells nobody.
    `export_subject` is the export as the asker saw it, "" where they could not. `handle` stands for exporter, kind and
    subject. `by` is the asker's audit key. Once granted, `token` is the activation; `placed` says that it stands in the
    import, `obstacle` why it does not.
    """

    importer = models.ForeignKey(
        "identities.Account", on_delete=models.CASCADE, related_name="activation_requests"
    )
    importer_name = models.CharField(max_length=255)
    exporter_key = models.CharField(max_length=56)
    export_subject = models.TextField(blank=True, default="")
    handle = models.CharField(max_length=12)
    kind = models.CharField(max_length=10)
    subject = models.TextField()
    local_subject = models.TextField(blank=True, default="")
    name = models.TextField(blank=True, default="")
    share = models.BooleanField(default=False)
    allow_trace = models.BooleanField(default=False)
    reason = models.TextField(blank=True, default="")
    person = models.ForeignKey("identities.Person", null=True, on_delete=models.SET_NULL, related_name="+")
    service_account = models.ForeignKey(
        "identities.ServiceAccount", null=True, on_delete=models.SET_NULL, related_name="+"
    )
    by = models.CharField(max_length=255)
    by_name = models.CharField(max_length=255)
    created_at = models.DateTimeField()
    state = models.CharField(max_length=10, default=RequestState.OPEN)
    decided_by = models.CharField(max_length=255, blank=True, default="")
    decided_at = models.DateTimeField(null=True, default=None)
    note = models.TextField(blank=True, default="")
    token = models.ForeignKey("identities.IssuedToken", null=True, on_delete=models.PROTECT, related_name="+")
    placed = models.BooleanField(default=False)
    obstacle = models.TextField(blank=True, default="")

    objects: ClassVar = ActivationRequestQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["importer", "handle"], condition=Q(state="open"), name="activation_asked_once"
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["importer", "state", "-id"], name="request_of_importer"),
            models.Index(fields=["exporter_key", "state", "-id"], name="request_to_exporter"),
            models.Index(fields=["by", "state"], name="request_by_asker"),
        ]

    def __str__(self) -> str:
        return f"{self.subject} of {self.exporter_key}"
