"""The rules of jwt/v2 for account claims (`account_claims.go Validate`), in its order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from identities.claims.account import AccountBody, ExternalAuthorization, MsgTrace
from identities.claims.limits import NO_LIMIT, OperatorLimits
from identities.claims.mappings import WeightedMapping
from identities.claims.scopes import SigningKey
from identities.claims.subjects import has_wildcards, validate_subject
from identities.claims.validate_exports import validate_exports
from identities.claims.validate_findings import Findings, check_info, check_permissions
from identities.claims.validate_imports import validate_imports
from identities.claims.validate_text import quote
from identities.nkeys import KeyKind, is_public

_NO_LIMITS = OperatorLimits()
_JETSTREAM = (
    "mem_storage",
    "disk_storage",
    "streams",
    "consumer",
    "max_ack_pending",
    "mem_max_stream_bytes",
    "disk_max_stream_bytes",
    "max_bytes_required",
)
_LIMITS = (
    "subs",
    "data",
    "payload",
    "imports",
    "exports",
    "wildcards",
    "disallow_bearer",
    "conn",
    "leaf",
    *_JETSTREAM,
)


def validate_account(found: Findings, body: AccountBody, account: str, issuer: str) -> None:
    """All rules of an account but the times; `account` is their subject, `issuer` who signed them."""
    validate_imports(found, body.imports, account)
    validate_exports(found, body.exports)
    _check_jetstream(found, body.limits)
    check_permissions(found, "nats.default_permissions", body.default_permissions)
    if body.mappings:
        _check_mappings(found, body.mappings)
    _check_authorization(found, body.authorization)
    if body.trace is not None:
        _check_trace(found, body.trace)
    _check_counts(found, body)
    _check_signing_keys(found, body.signing_keys)
    check_info(found, "nats", body.description, body.info_url)
    if body.cluster_traffic not in ("", "system", "owner"):
        message = f"unknown cluster traffic option: {quote(body.cluster_traffic)}"
        found.error("nats.cluster_traffic", message)
    if is_public(issuer, KeyKind.ACCOUNT) and not _is_zero(body.limits):
        found.warning("nats.limits", "self-signed account JWTs shouldn't contain operator limits")


def _is_zero(limits: OperatorLimits) -> bool:
    """Go's `OperatorLimits.IsEmpty`."""
    return not limits.tiered_limits and not any(getattr(limits, name) for name in _LIMITS)


def _check_jetstream(found: Findings, limits: OperatorLimits) -> None:
    if not limits.tiered_limits:
        return
    if any(getattr(limits, name) for name in _JETSTREAM):
        message = "JetStream Limits and tiered JetStream Limits are mutually exclusive"
        found.error("nats.limits.tiered_limits", message)
    if "" in limits.tiered_limits:
        message = 'Tiered JetStream Limits can not contain a blank "" tier name'
        found.error("nats.limits.tiered_limits", message)


def _check_mappings(found: Findings, mappings: Mapping[str, Sequence[WeightedMapping]]) -> None:
    """Go walks this map in random order; here it is the order of the document."""
    for source, targets in mappings.items():
        path = f"nats.mappings.{source}"
        found.subject(path, source)
        total, per_cluster = 0, dict[str, int]()
        for index, target in enumerate(targets):
            where, weight = f"{path}[{index}]", target.weight or 100
            found.subject(f"{where}.subject", target.subject)
            if weight > 100:
                message = f"Mapping {quote(source)} has a weight {weight} that exceeds 100"
                found.error(f"{where}.weight", message)
            if not target.cluster:
                total += weight
                continue
            per_cluster[target.cluster] = per_cluster.get(target.cluster, 0) + weight
            if per_cluster[target.cluster] > 100:
                found.error(
                    f"{where}.weight",
                    f"Mapping {quote(source)} in cluster {quote(target.cluster)} exceeds 100% "
                    "among all of it's weighted to mappings",
                )
        if total > 100:
            message = f"Mapping {quote(source)} exceeds 100% among all of it's weighted to mappings"
            found.error(path, message)


def _check_authorization(found: Findings, callout: ExternalAuthorization) -> None:
    path, accounts = "nats.authorization", callout.allowed_accounts
    if accounts and not callout.auth_users:
        message = "External authorization cannot have accounts without users specified"
        found.error(f"{path}.allowed_accounts", message)
    for index, user in enumerate(callout.auth_users):
        if not is_public(user, KeyKind.USER):
            found.error(
                f"{path}.auth_users[{index}]", f"AuthUser {quote(user)} is not a valid user public key"
            )
    for index, account in enumerate(accounts):
        where = f"{path}.allowed_accounts[{index}]"
        if account == "*":
            if len(accounts) > 1:
                found.error(where, 'AllowedAccounts can only be a list of accounts or "*"')
        elif not is_public(account, KeyKind.ACCOUNT):
            found.error(where, f"Account {quote(account)} is not a valid account public key")
    if callout.xkey and not is_public(callout.xkey, KeyKind.CURVE):
        found.error(f"{path}.xkey", f"XKey {quote(callout.xkey)} is not a valid public xkey")


def _check_trace(found: Findings, trace: MsgTrace) -> None:
    """Of the destination's problems Go reports the first. It also turns a sampling of 0 into 100 in place;
    claims here are frozen, so 0 stays 0 and reads as 100.
    """
    if problems := validate_subject(trace.dest):
        found.error("nats.trace.dest", f"the account Trace.Destination {problems[0]}")
    if has_wildcards(trace.dest):
        message = f"the account Trace.Destination subject {quote(trace.dest)} is not a valid publish subject"
        found.error("nats.trace.dest", message)
    if not 0 <= trace.sampling <= 100:
        found.error(
            "nats.trace.sampling",
            f"the account Trace.Sampling value '{trace.sampling}' is not valid, should be in the range [1..100]",
        )


def _check_counts(found: Findings, body: AccountBody) -> None:
    limits, imports, exports = body.limits, len(body.imports), len(body.exports)
    message = "the account contains more imports than allowed by the operator"
    if 0 <= limits.imports < imports and not _is_zero(limits):
        found.error("nats.imports", message)
    if limits.imports != NO_LIMIT and imports > limits.imports:
        found.error("nats.imports", message)
    if limits.exports == NO_LIMIT:
        return
    if exports > limits.exports:
        found.error("nats.exports", "the account contains more exports than allowed by the operator")
    if limits.wildcards:
        return
    message = "the account contains wildcard exports that are not allowed by the operator"
    for index, export in enumerate(body.exports):
        if export is not None and has_wildcards(export.subject):
            found.error(f"nats.exports[{index}].subject", message)


def _check_signing_keys(found: Findings, keys: Sequence[SigningKey]) -> None:
    """Go holds a map by key; here it is the order of the document, each key once."""
    for index, key in enumerate(keys):
        if is_public(key.key, KeyKind.ACCOUNT):
            continue
        if key.is_scoped:
            found.error(f"nats.signing_keys[{index}].key", f"{key.key} is not an account public key")
        else:
            found.error(f"nats.signing_keys[{index}]", f"{quote(key.key)} is not a valid account signing key")
