"""An earlier version of claims brought back: what of it returns, and what stays as it stands now.

What only signing sets (`iat`, `iss`, `jti`), whose token it is (`sub`, `issuer_account`), every revocation and the set
of signing keys stay: going back must never let somebody in who was put out. A removed signing key returns where it is
asked for by name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.claims.exports import Export
from identities.claims.imports import Import
from identities.claims.operator import OperatorBody
from identities.claims.scopes import SigningKey
from identities.claims.user import UserBody

Body = TypeVar("Body", OperatorBody, AccountBody, UserBody)
Offered = tuple[str, str]
"""What an export is known by: its subject and type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKeys:
    """Signing keys in which an earlier version differs: `removed` since, `added` since."""

    removed: tuple[str, ...]
    added: tuple[str, ...]


def operator(
    now: Claims[OperatorBody], then: Claims[OperatorBody], *, revive: Collection[str] = ()
) -> Claims[OperatorBody]:
    """The operator's claims as they were `then`; of its signing keys those that it has, and those in `revive`."""
    keys = (
        *now.nats.signing_keys,
        *(key for key in then.nats.signing_keys if key in revive and key not in now.nats.signing_keys),
    )
    body = replace(then.nats, signing_keys=keys, type=now.nats.type, version=now.nats.version)
    return _around(now, then, body)


def account(
    now: Claims[AccountBody],
    then: Claims[AccountBody],
    *,
    revive: Collection[str] = (),
    withdrawn: Mapping[Offered, Mapping[str, int]] | None = None,
) -> Claims[AccountBody]:
    """The account's claims as they were `then`. `withdrawn` has what was ever revoked of exports that it has no more:
    they return with it. An import that stands there now keeps its token, which may be the newer one.
    """
    body = replace(
        then.nats,
        revocations=now.nats.revocations,
        signing_keys=_signing_keys(now.nats.signing_keys, then.nats.signing_keys, revive),
        exports=tuple(_exports(now.nats.exports, then.nats.exports, withdrawn or {})),
        imports=tuple(_imports(now.nats.imports, then.nats.imports)),
        type=now.nats.type,
        version=now.nats.version,
    )
    return _around(now, then, body)


def user(now: Claims[UserBody], then: Claims[UserBody]) -> Claims[UserBody]:
    """The user's claims as they were `then`, in the account in which it is."""
    body = replace(
        then.nats,
        issuer_account=now.nats.issuer_account,
        type=now.nats.type,
        version=now.nats.version,
    )
    return _around(now, then, body)


def signing_keys(
    now: OperatorBody | AccountBody | UserBody, then: OperatorBody | AccountBody | UserBody
) -> SigningKeys:
    """Which signing keys came and went since."""
    held, had = _keys(now), _keys(then)
    return SigningKeys(
        removed=tuple(key for key in had if key not in held),
        added=tuple(key for key in held if key not in had),
    )


def withdrawn(now: AccountBody, versions: Iterable[AccountBody]) -> dict[Offered, dict[str, int]]:
    """What `versions` revoked of exports that are not there `now`: the latest time of each."""
    held = {_offered(export) for export in now.exports if export is not None}
    found: dict[Offered, dict[str, int]] = {}
    for version in versions:
        for export in version.exports:
            if export is None or _offered(export) in held:
                continue
            latest = found.setdefault(_offered(export), {})
            for target, at in export.revocations.items():
                latest[target] = max(at, latest.get(target, 0))
    return found


def _around(now: Claims[Body], then: Claims[Body], body: Body) -> Claims[Body]:
    return replace(now, nats=body, name=then.name, exp=then.exp, nbf=then.nbf, aud=then.aud, extra=then.extra)


def _keys(body: OperatorBody | AccountBody | UserBody) -> tuple[str, ...]:
    if isinstance(body, UserBody):
        return ()
    if isinstance(body, OperatorBody):
        return body.signing_keys
    return tuple(entry.key for entry in body.signing_keys)


def _signing_keys(
    now: Iterable[SigningKey], then: Iterable[SigningKey], revive: Collection[str]
) -> tuple[SigningKey, ...]:
    """A role says again what it said; a plain key never becomes a role nor a role a plain key (ADR 0004)."""
    had = {entry.key: entry for entry in then}
    held = tuple(now)
    kept = (
        had[entry.key] if entry.key in had and had[entry.key].kind == entry.kind else entry for entry in held
    )
    here = {entry.key for entry in held}
    back = (entry for entry in had.values() if entry.key in revive and entry.key not in here)
    return (*kept, *back)


def _exports(
    now: Iterable[Export | None],
    then: Iterable[Export | None],
    withdrawn: Mapping[Offered, Mapping[str, int]],
) -> Iterable[Export | None]:
    held = {_offered(export): export.revocations for export in now if export is not None}
    for export in then:
        if export is None:
            yield None
            continue
        known = held.get(_offered(export))
        if known is None:
            later = withdrawn.get(_offered(export), {})
            known = {
                **export.revocations,
                **{target: max(at, export.revocations.get(target, 0)) for target, at in later.items()},
            }
        yield replace(export, revocations=known)


def _imports(now: Iterable[Import | None], then: Iterable[Import | None]) -> Iterable[Import | None]:
    held = {_taken(imported): imported.token for imported in now if imported is not None}
    for imported in then:
        if imported is None or not held.get(_taken(imported)):
            yield imported
        else:
            yield replace(imported, token=held[_taken(imported)])


def _offered(export: Export) -> Offered:
    return export.subject, export.type


def _taken(imported: Import) -> tuple[str, str, str]:
    return imported.subject, imported.type, imported.account
