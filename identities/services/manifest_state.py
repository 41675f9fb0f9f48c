"""An operator as it is, as a manifest says it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from identities.claims import trust
from identities.claims.account import AccountBody, ExternalAuthorization
from identities.claims.common import Claims
from identities.claims.imports import Import
from identities.claims.limits import OperatorLimits
from identities.claims.names import check_name
from identities.claims.operator import OperatorBody
from identities.claims.permissions import Permissions, UserPermissionLimits
from identities.claims.scopes import SigningKey
from identities.claims.user import UserBody
from identities.errors import IdentityError
from identities.formats.manifest import Manifest, Said, SaidAccount
from identities.formats.manifest_fields import RIGHTS
from identities.models import Account, Mode, Operator, User
from identities.policy.principal import Principal
from identities.services import changes

MOST_USERS = 20_000
"""Manifests are read and written whole."""


def manifest_of(principal: Principal, operator: Operator, *, keys: bool = False) -> Manifest:
    """All of an operator that the principal may see; `keys`: with public keys, so that renames are known as such.

    Raises: IdentityError: more users than one manifest takes.
    """
    visible: Any = Account.objects.visible_to(principal)
    rows = list(visible.live().filter(operator=operator).order_by("name_fold", "pk"))
    users = users_by_account(rows)
    names = {row.public_key: row.name for row in rows}
    return Manifest(
        operator=Said(fields=operator_fields(operator, names, keys=keys)),
        accounts=tuple(_account(row, users[row.pk], names, keys=keys) for row in rows),
    )


def users_by_account(rows: Iterable[Account]) -> dict[int, list[User]]:
    """The live users of these accounts, by name.

    Raises: IdentityError: more than one manifest takes.
    """
    found: dict[int, list[User]] = defaultdict(list)
    accounts = {row.pk: row for row in rows}
    users = User.objects.live().filter(account__in=list(accounts))
    number = users.count()
    if number > MOST_USERS:
        raise IdentityError(
            f"There are {number:,} users, and a manifest takes at most {MOST_USERS:,}: export the operator as an nsc "
            "store instead."
        )
    for user in users.order_by("name", "pk"):
        user.account = accounts[user.account_id]
        found[user.account_id].append(user)
    return found


def operator_fields(operator: Operator, names: Mapping[str, str], *, keys: bool) -> dict[str, Any]:
    """What an operator's claims say, without its signing keys, which are no manifest's."""
    claims: Claims[OperatorBody] = changes.claims_of(operator)
    body = claims.nats
    fields = {
        **_called(operator, keys=keys),
        "account_server_url": body.account_server_url,
        "operator_service_urls": body.operator_service_urls,
        "system_account": names.get(body.system_account, body.system_account),
        "assert_server_version": body.assert_server_version,
        "strict_signing_key_usage": body.strict_signing_key_usage,
        "tags": body.tags,
        "exp": claims.exp,
        "nbf": claims.nbf,
    }
    return _filled(fields)


def _called(row: Operator | Account | User, *, keys: bool) -> dict[str, str]:
    """Name and key; an imported one's name may be none that could be given here, and is left as it is."""
    try:
        name = check_name(row.name)
    except IdentityError:
        return {"key": row.public_key}
    return {"name": name, "key": row.public_key} if keys else {"name": name}


def _filled(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value}


def _account(row: Account, users: list[User], names: Mapping[str, str], *, keys: bool) -> SaidAccount:
    claims: Claims[AccountBody] = changes.claims_of(row)
    body = claims.nats
    fields = {
        **_called(row, keys=keys),
        "description": body.description,
        "info_url": body.info_url,
        "tags": body.tags,
        "exp": claims.exp,
        "nbf": claims.nbf,
        "limits": None if body.limits == OperatorLimits.unlimited() else body.limits,
        "cluster_traffic": body.cluster_traffic,
        "default_permissions": None
        if body.default_permissions == Permissions()
        else body.default_permissions,
        "trace": body.trace,
        "authorization": _callout(body.authorization, users, names),
        "exports": sorted(
            (one for one in body.exports if one is not None), key=lambda one: (one.subject, one.type)
        ),
        "imports": sorted(
            (_import(one, names) for one in body.imports if one is not None),
            key=lambda one: (one.account, one.subject, one.type, one.local_subject, one.to),
        ),
        "mappings": body.mappings,
        "revocations": body.revocations,
    }
    return SaidAccount(
        fields=_filled(fields),
        signing_keys=tuple(_signing_keys(body, keys=keys)) or None,
        users=tuple(_user(user, body, keys=keys) for user in users),
    )


def _callout(
    callout: ExternalAuthorization, users: Iterable[User], names: Mapping[str, str]
) -> ExternalAuthorization | None:
    if callout == ExternalAuthorization():
        return None
    of_users = {user.public_key: user.name for user in users}
    return ExternalAuthorization(
        auth_users=tuple(of_users.get(key, key) for key in callout.auth_users),
        allowed_accounts=tuple(names.get(key, key) for key in callout.allowed_accounts),
        xkey=callout.xkey,
    )


def _import(one: Import, names: Mapping[str, str]) -> Import:
    """An import by its exporter's name; of one that stands here, the token can be issued anew and is left out."""
    here = one.account in names
    return Import(
        name=one.name,
        subject=one.subject,
        account=names.get(one.account, one.account),
        token="" if here else one.token,
        to=one.to,
        local_subject=one.local_subject,
        type=one.type,
        share=one.share,
        allow_trace=one.allow_trace,
    )


def role_names(body: AccountBody) -> dict[str, str]:
    """The keys of an account's roles by what a manifest calls them: a name that only one of them has, or the key."""
    scoped = [entry for entry in body.signing_keys if entry.is_scoped]
    number = Counter(entry.role for entry in scoped)
    return {
        entry.role if entry.role and number[entry.role] == 1 else entry.key: entry.key for entry in scoped
    }


def _signing_keys(body: AccountBody, *, keys: bool) -> Iterable[Said]:
    called = {key: name for name, key in role_names(body).items()}
    plain = [entry for entry in body.signing_keys if not entry.is_scoped]
    for entry in sorted(plain, key=lambda entry: entry.key):
        yield Said(fields={"key": entry.key} if keys else {})
    roles = (entry for entry in body.signing_keys if entry.is_scoped)
    for entry in sorted(roles, key=lambda entry: (entry.role, entry.key)):
        yield Said(fields=_role(entry, keys=keys or called[entry.key] != entry.role))


def _role(entry: SigningKey, *, keys: bool) -> dict[str, Any]:
    fields: dict[str, Any] = {"role": entry.role}
    if keys:
        fields["key"] = entry.key
    if entry.description:
        fields["description"] = entry.description
    if entry.template is not None and entry.template != UserPermissionLimits.unlimited():
        fields["template"] = entry.template
    return fields


def _user(user: User, body: AccountBody, *, keys: bool) -> Said:
    claims: Claims[UserBody] = changes.claims_of(user)
    limits = claims.nats.limits
    entry = trust.signing_key(body, user.issuer)
    by_role = user.pub_mode == Mode.ROLE
    role = ""
    if entry is not None and entry.is_scoped:
        role = next(name for name, key in role_names(body).items() if key == entry.key)
    base = UserPermissionLimits() if by_role else UserPermissionLimits.unlimited()
    rights = {name: getattr(limits, name) for name in RIGHTS if getattr(limits, name) != getattr(base, name)}
    fields = {
        **_called(user, keys=keys),
        "role": role,
        "tags": claims.nats.tags,
        "exp": claims.exp,
        "nbf": claims.nbf,
    }
    return Said(fields={**_filled(fields), **rights})
