"""Concerns about accounts beyond Go's validation (spec §3.5, §3.6, §9.2-9.5)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from identities.claims import import_cycles
from identities.claims.account import AccountBody
from identities.claims.exports import Export
from identities.claims.imports import Import
from identities.claims.limits import NO_LIMIT, OperatorLimits
from identities.claims.local_subjects import local_concerns
from identities.claims.scopes import SigningKey
from identities.claims.stricter_concerns import (
    Concern,
    limit_concerns,
    permission_concerns,
    subject_concerns,
    template_findings,
)
from identities.claims.stricter_mappings import mapping_concerns
from identities.claims.validate_text import quote
from identities.nkeys import KeyKind, is_public

_TIER = re.compile(r"R[1-9]\d*")
_LAST_SECOND = 2**53


def account_concerns(body: AccountBody, account: str) -> Iterator[Concern]:
    """Everything about the account `account` (its public key)."""
    for index, export in enumerate(body.exports):
        if export is not None:
            yield from _export_concerns(f"nats.exports[{index}]", export)
    yield from _imports_concerns(body.imports, account)
    yield from _limits_concerns(body.limits)
    yield from permission_concerns("nats.default_permissions", body.default_permissions)
    yield from mapping_concerns(body.mappings)
    if body.trace is not None:
        yield from subject_concerns("nats.trace.dest", body.trace.dest)
    yield from _revocation_concerns("nats.revocations", body.revocations, KeyKind.USER)
    for index, key in enumerate(body.signing_keys):
        yield from _signing_key_concerns(f"nats.signing_keys[{index}]", key, account)


def _export_concerns(path: str, export: Export) -> Iterator[Concern]:
    yield from subject_concerns(f"{path}.subject", export.subject)
    if export.service_latency is not None:
        yield from subject_concerns(f"{path}.service_latency.results", export.service_latency.results)
    if export.token_req and export.account_token_position:
        message = (
            "account token position is only valid for public exports: nats-server would ask for no token"
        )
        value = f"{export.subject} {export.account_token_position}"
        yield Concern(f"{path}.account_token_position", value, message)
    yield from _revocation_concerns(f"{path}.revocations", export.revocations, KeyKind.ACCOUNT)


def _imports_concerns(imports: Sequence[Import | None], account: str) -> Iterator[Concern]:
    streams: set[tuple[str, str]] = set()
    for index, imported in enumerate(imports):
        if imported is None:
            continue
        path = f"nats.imports[{index}]"
        yield from subject_concerns(f"{path}.subject", imported.subject)
        if imported.local_subject:
            yield from subject_concerns(f"{path}.local_subject", imported.local_subject)
        yield from local_concerns(path, imported)
        if import_cycles.taken_for_ring(imported):
            which = "local_subject" if imported.local_subject else "subject"
            value = f"{imported.local_subject} {imported.subject}"
            yield Concern(f"{path}.{which}", value, import_cycles.TAKEN_FOR_RING)
        if imported.account and not is_public(imported.account, KeyKind.ACCOUNT):
            message = f"{quote(imported.account)} is not an account public key"
            yield Concern(f"{path}.account", imported.account, message)
        elif imported.account and imported.account == account:
            message = "the account would import from itself"
            yield Concern(f"{path}.account", imported.subject, message)
        if imported.type == "stream":
            stream = (imported.account, imported.subject)
            if stream in streams:
                message = (
                    f"stream {quote(imported.subject)} of this account is imported already, and nats-server keeps "
                    "the first import alone, whatever the local subjects are"
                )
                yield Concern(f"{path}.subject", " ".join(stream), message)
            streams.add(stream)


def _limits_concerns(limits: OperatorLimits) -> Iterator[Concern]:
    for name in ("subs", "data", "payload", "imports", "exports", "conn", "leaf"):
        number: int = getattr(limits, name)
        if number < NO_LIMIT:
            yield Concern(f"nats.limits.{name}", str(number), f"{number} is no limit: use -1 for unlimited")
    for name, what in (("conn", "connect"), ("subs", "subscribe"), ("payload", "publish anything")):
        if getattr(limits, name) == 0:
            message = f"0 is none, not unlimited: nobody in the account can {what}"
            yield Concern(f"nats.limits.{name}", "0", message, only_advice=True)
    if not limits.wildcards and limits.exports == NO_LIMIT:
        message = "wildcard exports are refused only when the number of exports is limited too"
        yield Concern("nats.limits.wildcards", "", message, only_advice=True)
    for tier in limits.tiered_limits:
        if tier and not _TIER.fullmatch(tier):
            message = f"tier {quote(tier)} is never used: tiers are named by replicas, R1, R3, R5"
            yield Concern(f"nats.limits.tiered_limits[{tier}]", tier, message)


def _revocation_concerns(path: str, revocations: Mapping[str, int], kind: KeyKind) -> Iterator[Concern]:
    for key, moment in revocations.items():
        if key != "*" and not is_public(key, kind):
            message = f"{quote(key)} revokes nobody: it is not a public key of kind {kind.value}"
            yield Concern(f"{path}[{key}]", key, message)
        elif not 0 < moment < _LAST_SECOND:
            yield Concern(f"{path}[{key}]", f"{key} {moment}", f"{moment} is no time of revocation")


def _signing_key_concerns(path: str, key: SigningKey, account: str) -> Iterator[Concern]:
    if key.key and key.key == account:
        yield Concern(path, key.key, "the account's identity key cannot be one of its signing keys")
    template = key.template
    if not key.is_scoped or template is None:
        return
    where = f"{path}.template"
    yield from template_findings(where, template)
    yield from permission_concerns(where, template, is_template=True)
    yield from limit_concerns(where, template)
    for name in ("subs", "data", "payload"):
        if getattr(template, name) == 0:
            message = "a role cannot hold 0 here: every reader takes it as unlimited. Use 1 or more, or -1"
            yield Concern(f"{where}.{name}", f"{key.key} 0", message)
    if template.proxy_required:
        message = "nats-server does not enforce this in a role, only in a user's own JWT"
        yield Concern(f"{where}.proxy_required", key.key, message, only_advice=True)
