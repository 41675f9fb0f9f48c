"""Exports, imports, activations and requests for them."""

from __future__ import annotations

from typing import Any

from identities.claims import sharing
from identities.claims.drafts import ActivationDraft, ImportDraft, Minting
from identities.claims.exports import Export
from identities.claims.imports import Import
from identities.services import activation_requests, activations, changes, exports, imports
from tests.works.sample import ELSEWHERE, WHO, Sample, Work


def _private(at: Sample) -> str:
    """The handle of a private export with one revocation."""
    return sharing.export_handles(changes.claims_of(at.account).nats.exports)[0]


def _import(at: Sample) -> dict[str, Any]:
    """The one import, and who asks."""
    handle = sharing.import_handles(changes.claims_of(at.account).nats.imports)[0]
    return {**WHO, "account": at.account, "handle": handle, "version": at.account.version}


def _export(at: Sample) -> dict[str, Any]:
    return {**WHO, "account": at.account, "handle": _private(at), "version": at.account.version}


def _import_with_token(at: Sample) -> object:
    imported = Import(subject="orders.new", account=at.account.public_key, type="stream")
    draft = ImportDraft(imported=imported, minting=Minting.IF_ASKED)
    return imports.add(**WHO, account=at.other, draft=draft, version=at.other.version)


WORKS: dict[str, Work] = {
    "exports.add": lambda at: exports.add(
        **WHO, account=at.account, export=Export(subject="new", type="stream"), version=at.account.version
    ),
    "exports.edit": lambda at: exports.edit(export=Export(subject="new", type="stream"), **_export(at)),
    "exports.delete": lambda at: exports.delete(**_export(at)),
    "exports.revoke": lambda at: exports.revoke(target=ELSEWHERE, at=5, **_export(at)),
    "exports.clear": lambda at: exports.clear(target="*", **_export(at)),
    "activations.issue": lambda at: activations.issue(
        **WHO,
        account=at.account,
        handle=_private(at),
        draft=ActivationDraft(target=ELSEWHERE, subject="orders.>"),
    ),
    "activation_requests.ask": lambda at: activation_requests.ask(
        **WHO, account=at.account, imported=Import(subject="a", account=ELSEWHERE, type="service")
    ),
    "activation_requests.withdraw": lambda at: activation_requests.withdraw(**WHO, request=at.request),
    "activation_requests.decline": lambda at: activation_requests.decline(
        **WHO, account=at.account, request=at.request, note="no"
    ),
    "activation_requests.grant": lambda at: activation_requests.grant(
        **WHO, account=at.account, request=at.request
    ),
    "imports.add": _import_with_token,
    "imports.edit": lambda at: imports.edit(
        draft=ImportDraft(imported=Import(subject="a", account=ELSEWHERE, type="service")), **_import(at)
    ),
    "imports.delete": lambda at: imports.delete(**_import(at)),
}
