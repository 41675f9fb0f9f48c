"""Who holds which role where: people, teams of people, and machines with their tokens."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q, QuerySet
from django.db.models.functions import Lower


class Team(models.Model):
    """People who hold roles together."""

    name = models.CharField(max_length=150)
    description = models.TextField(blank=True, default="")
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(Lower("name"), name="team_name_unique")]

    def __str__(self) -> str:
        return self.name

    @property
    def audit_key(self) -> str:
        """How the audit names this team, for good."""
        return f"team:{self.pk}"


class TeamMember(models.Model):
    """One person in one team. `managed_by` names the sign-on provider that put them there, "" for a person's doing."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="members")
    person = models.ForeignKey("identities.Person", on_delete=models.CASCADE, related_name="memberships")
    managed_by = models.CharField(max_length=150, blank=True, default="")
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["team", "person"], name="team_member_unique"),
        ]


class ServiceAccount(models.Model):
    """A machine that holds roles and comes in with tokens. Switched off, none of its tokens opens anything."""

    name = models.CharField(max_length=150)
    description = models.TextField(blank=True, default="")
    is_active = models.BooleanField(default=True)
    by_name = models.CharField(max_length=255)
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(Lower("name"), name="service_account_name_unique")]

    def __str__(self) -> str:
        return self.name

    @property
    def audit_key(self) -> str:
        """How the audit names this machine, for good."""
        return f"service-account:{self.pk}"


class ApiToken(models.Model):
    """One token of a service account or a person; only `secret_hash`, the SHA-256 of its secret part, is kept.

    `prefix` is its public part, by which it is found. `read_only` and `operator` narrow what its holder may do;
    they never widen it. `maker` is the person behind what a machine does with it, None where nobody knows.
    """

    service_account = models.ForeignKey(
        ServiceAccount, null=True, on_delete=models.CASCADE, related_name="tokens"
    )
    person = models.ForeignKey(
        "identities.Person", null=True, on_delete=models.CASCADE, related_name="tokens"
    )
    name = models.CharField(max_length=150)
    prefix = models.CharField(max_length=16, unique=True)
    secret_hash = models.CharField(max_length=64)
    read_only = models.BooleanField(default=False)
    operator = models.ForeignKey("identities.Operator", null=True, on_delete=models.CASCADE, related_name="+")
    maker = models.ForeignKey("identities.Person", null=True, on_delete=models.SET_NULL, related_name="+")
    by_name = models.CharField(max_length=255)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, default=None)
    last_used_at = models.DateTimeField(null=True, default=None)
    last_used_from = models.CharField(max_length=64, blank=True, default="")
    revoked_at = models.DateTimeField(null=True, default=None)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(service_account__isnull=False, person=None)
                | Q(service_account=None, person__isnull=False),
                name="api_token_one_holder",
            ),
        ]


class GrantQuerySet(QuerySet["Grant"]):
    """Grants, narrowed by adjectives."""

    def of_person(self, person: int) -> GrantQuerySet:
        """A person's own and those of their teams."""
        return self.filter(Q(person=person) | Q(team__members__person=person))


class Grant(models.Model):
    """A role on a scope: the installation, one operator, one account, or one signing key with a scope of its own.

    It is held by a person, a team or a service account. `names` (a pattern with `*`) and `tags` (one a line) bound
    what an issuer may call the users that it makes.
    """

    person = models.ForeignKey(
        "identities.Person", null=True, on_delete=models.CASCADE, related_name="grants"
    )
    team = models.ForeignKey(Team, null=True, on_delete=models.CASCADE, related_name="grants")
    service_account = models.ForeignKey(
        ServiceAccount, null=True, on_delete=models.CASCADE, related_name="grants"
    )
    role = models.CharField(max_length=32)
    scope_kind = models.CharField(max_length=16)
    operator = models.ForeignKey("identities.Operator", null=True, on_delete=models.CASCADE, related_name="+")
    account = models.ForeignKey("identities.Account", null=True, on_delete=models.CASCADE, related_name="+")
    signing_key = models.ForeignKey("identities.Key", null=True, on_delete=models.CASCADE, related_name="+")
    names = models.CharField(max_length=255, default="*")
    tags = models.TextField(blank=True, default="")
    by_name = models.CharField(max_length=255, blank=True, default="")
    created_at = models.DateTimeField()

    objects: ClassVar[Any] = GrantQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(scope_kind="installation", operator=None, account=None, signing_key=None)
                | Q(scope_kind="operator", operator__isnull=False, account=None, signing_key=None)
                | Q(scope_kind="account", operator__isnull=False, account__isnull=False, signing_key=None)
                | Q(
                    scope_kind="role",
                    operator__isnull=False,
                    account__isnull=False,
                    signing_key__isnull=False,
                ),
                name="grant_scope_fits",
            ),
            models.CheckConstraint(
                condition=Q(scope_kind="installation", role__in=["administrator", "auditor", "viewer"])
                | Q(scope_kind="operator", role__in=["administrator", "auditor", "viewer"])
                | Q(scope_kind="account", role__in=["administrator", "user-manager", "viewer"])
                | Q(scope_kind="role", role="issuer"),
                name="grant_role_known",
            ),
            models.CheckConstraint(
                condition=Q(person__isnull=False, team=None, service_account=None)
                | Q(person=None, team__isnull=False, service_account=None)
                | Q(person=None, team=None, service_account__isnull=False),
                name="grant_one_holder",
            ),
            *(
                models.UniqueConstraint(
                    fields=[holder, "role", *below],
                    condition=Q(scope_kind=kind) & Q(**{f"{holder}__isnull": False}),
                    name=f"grant_{holder}_{kind}_unique",
                )
                for holder in ("person", "team", "service_account")
                for kind, below in (
                    ("installation", []),
                    ("operator", ["operator"]),
                    ("account", ["account"]),
                    ("role", ["signing_key"]),
                )
            ),
        ]
