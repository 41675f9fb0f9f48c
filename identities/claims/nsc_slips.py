"""What nsc does to claims without a word, recognised by what it leaves behind (spec §9; seen with nsc 2.14.0)."""

from __future__ import annotations

from collections.abc import Iterator

from identities.claims.account import AccountBody
from identities.claims.exports import Export
from identities.claims.limits import NO_LIMIT
from identities.claims.trust import signing_key

WILDCARDS = (
    "wildcard exports are allowed again: any `nsc edit account` does that without --wildcard-exports=false"
)
BEARER = "bearer users are allowed again: any `nsc edit account` does that without --disallow-bearer"
EDITED = (
    "was edited with `nsc edit account`, which allows wildcard exports and bearer users again unless told otherwise: "
    "check that both are meant"
)
_DROPPED = ("account_token_position", "advertise", "allow_trace", "revocations", "response_type")


def of_account(before: AccountBody | None, after: AccountBody) -> Iterator[str]:
    """What an edit by nsc has changed besides what was asked of it; `before` is None for an account unknown so far."""
    if before is None:
        if _was_edited(after):
            yield EDITED
        return
    if after.limits.wildcards and not before.limits.wildcards:
        yield WILDCARDS
    if before.limits.disallow_bearer and not after.limits.disallow_bearer:
        yield BEARER
    yield from _exports(before, after)


def of_user(issuer: str, account: AccountBody, *, strict: bool) -> Iterator[str]:
    """A role that a user may have got by accident: without -K nsc takes the first key that it finds (quirk 5)."""
    role = signing_key(account, issuer)
    if role is None or not role.is_scoped or not strict:
        return
    if len(account.signing_keys) > 1 and issuer == min(key.key for key in account.signing_keys):
        name = f"“{role.role}”" if role.role else role.key
        yield (
            f"has the role {name}, whose key is the first of the account's: nsc takes that one when no key is named "
            "(-K), so check that the role is meant"
        )


def _was_edited(body: AccountBody) -> bool:
    """The first edit by nsc writes JetStream limits of -1 into an account without JetStream (quirk 2)."""
    limits = body.limits
    return (
        not limits.jetstream_enabled
        and not limits.tiered_limits
        and limits.streams == limits.consumer == NO_LIMIT
        and limits.wildcards
        and not limits.disallow_bearer
    )


def _exports(before: AccountBody, after: AccountBody) -> Iterator[str]:
    """`nsc edit export` builds the export anew and loses what it does not ask for (spec §9.3, item 17)."""
    held = {(export.subject, export.type): export for export in before.exports if export is not None}
    for export in after.exports:
        old = held.get((export.subject, export.type)) if export is not None else None
        if export is None or old is None:
            continue
        lost = [name for name in _DROPPED if _is_set(old, name) and not _is_set(export, name)]
        if lost:
            yield (
                f"the export “{export.subject}” lost {', '.join(lost)}: `nsc edit export` drops what it is not told"
            )


def _is_set(export: Export, name: str) -> bool:
    value = getattr(export, name)
    return bool(value) and value != "Singleton"
