"""Users: what a NATS client connects as."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q, QuerySet

from identities.models.base import Aggregate
from identities.policy.principal import Principal, ScopeKind


class UserQuerySet(QuerySet["User"]):
    """Users, narrowed by adjectives."""

    def live(self) -> UserQuerySet:
        """Those that were not deleted."""
        return self.filter(deleted_at=None)

    def visible_to(self, principal: Principal) -> UserQuerySet:
        """Only what the principal's grants reach."""
        if any(held.kind is ScopeKind.INSTALLATION for held in principal.roles):
            return self
        operators = {h.operator for h in principal.roles if h.kind is ScopeKind.OPERATOR}
        accounts = {h.account for h in principal.roles if h.kind is ScopeKind.ACCOUNT}
        return self.filter(Q(operator_id__in=operators) | Q(account_id__in=accounts))


class User(Aggregate):
    """One user. `has_seed`: its creds can be handed out from here. `bearer`: its JWT alone logs in.

    `pub_mode` and `sub_mode` say where its permission comes from: see `permissions.Mode`. While `suspended_at` is set,
    its key stands revoked in the account; `revoked_before` is the entry to go back to (unix seconds, 0 = none).
    """

    # No index of its own: SQLite, without figures, would take it before a public key's (the same in other models).
    operator = models.ForeignKey(
        "identities.Operator", on_delete=models.PROTECT, related_name="users", db_index=False
    )
    account = models.ForeignKey("identities.Account", on_delete=models.PROTECT, related_name="users")
    has_seed = models.BooleanField(default=False)
    bearer = models.BooleanField(default=False)
    pub_mode = models.CharField(max_length=8, default="default")
    sub_mode = models.CharField(max_length=8, default="default")
    suspended_at = models.DateTimeField(null=True, default=None)
    revoked_before = models.BigIntegerField(default=0)

    objects: ClassVar = UserQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["account", "public_key"], condition=Q(deleted_at=None), name="user_key_unique"
            ),
            models.UniqueConstraint(
                fields=["account", "name"], condition=Q(deleted_at=None), name="user_name_unique"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["operator", "name", "id"], name="user_by_name"),
            models.Index(fields=["public_key"], name="user_by_key"),
            models.Index(
                fields=["account", "issuer", "name", "id"],
                condition=Q(deleted_at=None),
                name="user_by_issuer",
            ),
            models.Index(fields=["expires", "id"], condition=Q(expires__gt=0), name="user_by_expiry"),
            # "Who may publish?": those without rules of their own, whom no permission row names.
            models.Index(
                fields=["operator", "pub_mode", "name", "id", "account", "issuer"],
                condition=Q(deleted_at=None) & ~Q(pub_mode="rules"),
                name="user_pub_other",
            ),
            models.Index(
                fields=["operator", "sub_mode", "name", "id", "account", "issuer"],
                condition=Q(deleted_at=None) & ~Q(sub_mode="rules"),
                name="user_sub_other",
            ),
        ]

    @property
    def jwt_is_secret(self) -> bool:
        """Whether the text of its current JWT logs in by itself, or did so when it was signed: guarded like a seed."""
        return self.bearer or (self.token is not None and self.token.sealed is not None)
