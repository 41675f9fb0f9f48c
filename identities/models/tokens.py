"""The ledger: every JWT ever signed or imported here. Append-only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from django.db import models
from django.db.models import Q, QuerySet

ACTIVATION = "activation"
"""The kind of tokens whose subject is another account than the one they are issued by."""


class IssuedTokenQuerySet(QuerySet["IssuedToken"]):
    """Tokens, narrowed by adjectives."""

    def of(self, subjects: Iterable[str] | QuerySet[Any, Any]) -> IssuedTokenQuerySet:
        """The JWTs of operators, accounts or users themselves; activations that accounts were given are not theirs."""
        return self.filter(subject__in=subjects).exclude(kind=ACTIVATION)

    def activations(self) -> IssuedTokenQuerySet:
        """Those that open a private export to an account."""
        return self.filter(kind=ACTIVATION)


class IssuedToken(models.Model):
    """One JWT. `text` is empty and `sealed` holds the envelope when the JWT alone logs in (a bearer user's).

    `iat` and `exp` are unix seconds (`exp` 0 = never). `by` is the actor's audit key, `by_name` for people.
    `replaces` names the token of the same subject before it.
    """

    operator = models.ForeignKey(
        "identities.Operator", null=True, on_delete=models.PROTECT, related_name="tokens", db_index=False
    )
    kind = models.CharField(max_length=16)
    subject = models.CharField(max_length=56)
    name = models.CharField(max_length=255)
    issuer = models.CharField(max_length=56)
    jti = models.CharField(max_length=64)
    iat = models.BigIntegerField()
    exp = models.BigIntegerField(default=0)
    text = models.TextField(blank=True)
    sealed = models.BinaryField(null=True, default=None)
    origin = models.CharField(max_length=8, default="signed")
    replaces = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="replaced_by")
    by = models.CharField(max_length=255)
    by_name = models.CharField(max_length=255)
    reason = models.CharField(max_length=255)
    created_at = models.DateTimeField()

    objects: ClassVar = IssuedTokenQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(text="", sealed__isnull=False) | (~Q(text="") & Q(sealed=None)),
                name="token_open_or_sealed",
            ),
            models.CheckConstraint(condition=Q(origin__in=["signed", "imported"]), name="token_origin"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["subject", "-iat", "-id"], name="token_by_subject"),
            models.Index(
                fields=["issuer", "-iat", "-id"], condition=Q(kind=ACTIVATION), name="activation_by_issuer"
            ),
        ]
