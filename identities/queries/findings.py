"""What the permissions of an account get wrong: of its defaults, its roles, and users with rules of their own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import Q

from identities.claims import codec, findings
from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.claims.effective import effective_permissions
from identities.claims.findings import Finding, Kind
from identities.claims.permissions import UserPermissionLimits
from identities.claims.user import UserBody
from identities.models import Account, Mode, User
from identities.policy.principal import Principal
from identities.queries import unreached

_CHUNK = 500
DEFAULTS = "the account's defaults"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One finding: of whom, in the JWT of which key, at which JSON path."""

    holder: str
    key: str
    path: str
    finding: Finding


def of(principal: Principal, account: Account, *, now: int) -> Iterator[Found]:
    """Every finding, in six queries. Roles speak for their users, the defaults for users without rules."""
    claims: Claims[AccountBody] = codec.from_payload(account.claims)
    body = claims.nats
    defaults = body.default_permissions
    rows = User.objects.visible_to(principal).live().filter(account=account)
    without = rows.filter(Q(pub_mode=Mode.DEFAULT) | Q(sub_mode=Mode.DEFAULT)).count()
    for one in findings.of(effective_permissions(UserPermissionLimits(), defaults)):
        if without or one.kind is not Kind.OPEN:
            holder = f"{DEFAULTS} (users without rules: {without:,})" if without else DEFAULTS
            yield _found(holder, account.public_key, "nats.default_permissions", one)
    for index, entry in enumerate(body.signing_keys):
        if entry.is_scoped and entry.template is not None:
            given = effective_permissions(entry.template, defaults, entry.template)
            for one in findings.of(given):
                path = f"nats.signing_keys[{index}].template"
                yield _found(f"the role {entry.role or entry.key}", account.public_key, path, one)
    rows = rows.exclude(pub_mode__in=(Mode.ROLE, Mode.DEFAULT)).order_by("name", "pk")
    for name, key, document in rows.values_list("name", "public_key", "claims").iterator(_CHUNK):
        user: Claims[UserBody] = codec.from_payload(document)
        for one in findings.of(effective_permissions(user.nats.limits, defaults)):
            yield _found(name, key, "nats", one)
    for where, one in unreached.of(principal, account, now=now):
        yield Found(holder=account.name, key=account.public_key, path=where or "users", finding=one)


def _found(holder: str, key: str, path: str, one: Finding) -> Found:
    whole = f"{path}.{one.path}" if one.path else path
    return Found(holder=holder, key=key, path=whole, finding=one)
