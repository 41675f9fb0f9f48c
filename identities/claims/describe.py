"""Claims in words: every row that `nsc describe` prints, with nsc's labels and wording (`nsc:cmd/describer.go`)."""

from __future__ import annotations

from collections.abc import Callable

from identities.claims.account import AccountBody
from identities.claims.activation import ActivationBody
from identities.claims.activation_hash import activation_hash
from identities.claims.common import Claims
from identities.claims.describe_account import account_sections
from identities.claims.describe_parts import limit_rows, permission_rows, scope_section, standard_rows
from identities.claims.describe_text import Row, Section, list_rows, yes_no
from identities.claims.errors import ClaimsError
from identities.claims.operator import OperatorBody
from identities.claims.scopes import SigningKey
from identities.claims.trust import has_empty_permissions
from identities.claims.user import UserBody

__all__ = ["Row", "Section", "rows", "scope_section"]


def rows(
    claims: Claims[object],
    names: Callable[[str], str],
    long_ids: bool,  # noqa: FBT001  # a switch of nsc's, and the third of a settled signature
    now: int,
    scope: SigningKey | None = None,
) -> list[Section]:
    """The tables that nsc would print about an operator, account, user or activation.

    `names` gives the name of an account key, or "" when it knows none; with `long_ids` keys are shown in its place.
    `scope` is the role that issued a user, shown after it. `now` decides the notes on dates, which are ours.

    Raises:
        ClaimsError: nsc describes nothing of this type.
    """
    body = claims.nats
    if isinstance(body, OperatorBody):
        return [Section("Operator Details", tuple(_operator_rows(claims, body, names, now)))]
    if isinstance(body, AccountBody):
        return account_sections(claims, body, lambda key: key if long_ids else names(key) or key, now)
    if isinstance(body, UserBody):
        sections = [Section("User", tuple(_user_rows(claims, body, now)))]
        return sections if scope is None else [*sections, scope_section(scope)]
    if isinstance(body, ActivationBody):
        return [Section("Activation", tuple(_activation_rows(claims, body, now)))]
    raise ClaimsError("Only operators, accounts, users and activations can be described.")


def _operator_rows(
    claims: Claims[object], body: OperatorBody, names: Callable[[str], str], now: int
) -> list[Row]:
    found = standard_rows(claims, "Operator ID", now, tags=body.tags)
    if body.account_server_url:
        found.append(Row("Account JWT Server", body.account_server_url))
    found += list_rows("Operator Service URLs", body.operator_service_urls)
    if body.system_account:
        name = names(body.system_account)
        found.append(Row("System Account", body.system_account + (f" / {name}" if name else "")))
    found.append(Row("Require Signing Keys", str(body.strict_signing_key_usage).lower()))
    if body.assert_server_version:
        found.append(Row("Assert Server Version", body.assert_server_version))  # nsc does not say
    return found + list_rows("Signing Keys", body.signing_keys)


def _user_rows(claims: Claims[object], body: UserBody, now: int) -> list[Row]:
    found = standard_rows(claims, "User ID", now, issuer_account=body.issuer_account, tags=body.tags)
    if has_empty_permissions(claims):
        return [*found, Row("Issuer Scoped", "Yes")]
    limits = body.limits
    found.append(Row("Bearer Token", yes_no(flag=limits.bearer_token)))
    if limits.proxy_required:
        found.append(Row("Proxy Required", "Yes"))  # nsc does not say
    found += permission_rows(limits)
    found += limit_rows(limits)
    return found + list_rows("Allowed Connection Types", limits.allowed_connection_types)


def _activation_rows(claims: Claims[object], body: ActivationBody, now: int) -> list[Row]:
    found = standard_rows(claims, "Account ID", now, issuer_account=body.issuer_account, tags=body.tags)
    try:
        found.append(Row("Hash ID", activation_hash(claims.iss, claims.sub, body.subject)))
    except ClaimsError:
        found.append(Row("Hash ID", ""))
    return [*found, Row("Import Type", body.kind.title()), Row("Import Subject", body.subject)]
