"""What several models share."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.db import models
from django.db.models import F

from identities.claims import codec
from identities.claims.common import Claims

LIVE_FIRST = F("deleted_at").asc(nulls_first=True)
LIVE_LAST = F("deleted_at").desc(nulls_last=True)
"""Rows of one key by whether they live; left alone, SQLite and PostgreSQL sort NULL to different ends."""


class Aggregate(models.Model):
    """A row that owns one JWT: the exact claims document, its current token, and what guards concurrent edits.

    `claims` is the exact payload text of the current JWT, never re-ordered. `last_iat` only rises. `version`
    counts edits; a write with a stale one is refused. Times inside claims are unix seconds, 0 = not set.

    `chosen_signer` is no column: the key that somebody chose to sign the next edit of this very object ("" = its
    issuer); see `services.signers`.
    """

    chosen_signer = ""

    public_key = models.CharField(max_length=56)
    name = models.CharField(max_length=255)
    claims = models.TextField()
    token = models.ForeignKey("identities.IssuedToken", null=True, on_delete=models.PROTECT, related_name="+")
    issuer = models.CharField(max_length=56)
    last_iat = models.BigIntegerField()
    expires = models.BigIntegerField(default=0)
    not_before = models.BigIntegerField(default=0)
    version = models.IntegerField(default=1)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    updated_by = models.CharField(max_length=255)
    deleted_at = models.DateTimeField(null=True, default=None)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.name

    def document(self) -> Claims[Any]:
        """The typed claims of the current JWT.

        An import may have given the row a name of its own, where the JWT's was taken: the next edit puts it into the
        JWT. (A row whose JWT has no name is called by its key.)
        """
        claims: Claims[Any] = codec.from_payload(self.claims)
        said = (claims.name or claims.sub).replace("\0", "\ufffd")
        return claims if self.name == said else replace(claims, name=self.name)
