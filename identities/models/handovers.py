"""Who received which credential: the ledger of hand-overs, one-time links, and what bounds short-lived creds."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q


class Handover(models.Model):
    """One credential that left: a user's creds or bearer JWT, or the seed of a key.

    `subject` is the key that logs in or signs (`kind` says of what), `role` the name of the role that issued it.
    `iat` and `exp` are those of the JWT that went along (unix seconds; 0 = none, never). `recipient` is the audit key
    of who received it ("" when nobody signed in), `by` of who gave it. `revoked`: the account refuses this JWT.
    """

    operator = models.ForeignKey(
        "identities.Operator", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    account = models.ForeignKey(
        "identities.Account", null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    user = models.ForeignKey("identities.User", null=True, on_delete=models.PROTECT, related_name="+")
    token = models.ForeignKey(
        "identities.IssuedToken", null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    kind = models.CharField(max_length=16)
    subject = models.CharField(max_length=56)
    name = models.CharField(max_length=255)
    role = models.CharField(max_length=255, blank=True, default="")
    issuer = models.CharField(max_length=56, blank=True, default="")
    iat = models.BigIntegerField(default=0)
    exp = models.BigIntegerField(default=0)
    way = models.CharField(max_length=16)
    door = models.CharField(max_length=16)
    recipient = models.CharField(max_length=255, blank=True)
    recipient_name = models.CharField(max_length=255)
    by = models.CharField(max_length=255)
    by_name = models.CharField(max_length=255)
    revoked = models.BooleanField(default=False)
    at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["-at", "-id"], name="handover_by_time"),
            models.Index(fields=["operator", "-at", "-id"], name="handover_of_operator"),
            models.Index(fields=["account", "-at", "-id"], name="handover_of_account"),
            models.Index(fields=["recipient", "-at", "-id"], name="handover_to"),
            models.Index(fields=["subject", "account"], name="handover_of_key"),
        ]

    def __str__(self) -> str:
        return f"{self.way} of {self.subject}"


class HandoverLink(models.Model):
    """A link by which a user's creds are taken once; only a hash of its token is kept.

    `person`: who alone may open it, None for whoever has the link. `for_name` says in words for whom it was made.
    """

    operator = models.ForeignKey(
        "identities.Operator", on_delete=models.CASCADE, related_name="+", db_index=False
    )
    account = models.ForeignKey(
        "identities.Account", on_delete=models.CASCADE, related_name="+", db_index=False
    )
    user = models.ForeignKey("identities.User", on_delete=models.CASCADE, related_name="links")
    token_hash = models.CharField(max_length=64, unique=True)
    person = models.ForeignKey("identities.Person", null=True, on_delete=models.CASCADE, related_name="+")
    for_name = models.CharField(max_length=255, blank=True)
    maker = models.ForeignKey("identities.Person", null=True, on_delete=models.CASCADE, related_name="+")
    by = models.CharField(max_length=255)
    by_name = models.CharField(max_length=255)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    opened_at = models.DateTimeField(null=True, default=None)
    opened_from = models.CharField(max_length=64, blank=True, default="")
    revoked_at = models.DateTimeField(null=True, default=None)
    revoked_by = models.CharField(max_length=255, blank=True, default="")

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(opened_at=None) | Q(revoked_at=None), name="handover_link_opened_or_revoked"
            ),
        ]

    def __str__(self) -> str:
        return f"link for {self.user_id}"


class IssuingTerms(models.Model):
    """How long the short-lived creds of a role may live, in seconds; a role without a row has the usual terms."""

    key = models.OneToOneField("identities.Key", on_delete=models.CASCADE, related_name="terms")
    shortest = models.IntegerField()
    usual = models.IntegerField()
    longest = models.IntegerField()
    updated_at = models.DateTimeField()
    updated_by = models.CharField(max_length=255)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(shortest__gt=0)
                & Q(usual__gte=models.F("shortest"))
                & Q(longest__gte=models.F("usual")),
                name="issuing_terms_fit",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.shortest}-{self.longest} s"
